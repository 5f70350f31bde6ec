// Restart and catch up: a fresh kernel, and every code cell again, down to where the participant is.
import { show, stepAt } from "./steps.js";

const KERNEL_PATIENCE_MS = 60000;

export class CatchingUp {
  // `say` is called with {state, ...} as things go on: "restarting", "running" (number, of), "stopped", "failed" (error, index), "done" (of)
  constructor(panel, actions, say) {
    this.panel = panel;
    this.actions = actions;
    this.say = say;
    this.running = false;
    this._stop = false;
  }

  // The code cells that will run: all down to the selected one, or to the one that begins its step.
  cells() {
    const notebook = this.panel.content;
    const step = stepAt(notebook);
    const last = Math.max(notebook.activeCellIndex, step ? step.cell : 0);
    return notebook.widgets.slice(0, last + 1).filter((cell) => cell.model.type === "code" && hasCode(cell));
  }

  // What would be lost that is not in the notebook, as one sentence; "" if nothing.
  loss() {
    const kernel = this._kernel;
    if (!kernel || kernel.status === "dead") return "";
    if (kernel.status === "busy") return "A cell is running now: what it has done so far is lost.";
    const again = new Set(this.cells());
    const below = this.panel.content.widgets.filter((cell) => ran(cell) && !again.has(cell)).length;
    if (!below) return "";
    const cells = below === 1 ? "1 cell" : `${below} cells`;
    return `You have also run ${cells} further down: what they computed is gone until you run them again.`;
  }

  async begin() {
    if (this.running) return;
    this.running = true;
    this._stop = false;
    const notebook = this.panel.content;
    const chosen = notebook.activeCellIndex;
    const cells = this.cells();
    try {
      this.say({ state: "restarting" });
      await this._restart();
      notebook.widgets.forEach((cell) => ran(cell) && (cell.model.executionCount = null));
      await this._run(cells, chosen);
    } catch (error) {
      this.say({ state: "failed", error: error instanceof Error ? error.message : String(error), index: -1 });
    } finally {
      this.running = false;
    }
  }

  stop() {
    this._stop = true;
    const kernel = this._kernel;
    if (kernel) kernel.interrupt().catch(() => {});
  }

  async _run(cells, chosen) {
    const notebook = this.panel.content;
    for (const [number, cell] of cells.entries()) {
      if (this._stop) return this.say({ state: "stopped" });
      if (cell.isDisposed) continue;
      const index = notebook.widgets.indexOf(cell);
      this.say({ state: "running", number: number + 1, of: cells.length });
      const well = await this.actions.runCells(notebook, [cell], this.panel.sessionContext);
      const error = errorOf(cell);
      if (this._stop) return this.say({ state: "stopped" });
      if (!well || error) {
        await show(notebook, index);
        return this.say({ state: "failed", error: error || "The cell could not be run", index });
      }
    }
    await show(notebook, Math.min(chosen, notebook.widgets.length - 1));
    this.say({ state: "done", of: cells.length });
  }

  // After the server itself was started again, the kernel that the page knows is no more.
  async freshKernel() {
    const context = this.panel.sessionContext;
    this.panel.content.widgets.forEach((cell) => ran(cell) && (cell.model.executionCount = null));
    const name = (this._kernel && this._kernel.name) || "python3";
    if (context.session) context.session.dispose(); // of the server that is gone; the new one does not know it
    await context.changeKernel({ name });
  }

  async _restart() {
    const context = this.panel.sessionContext;
    const kernel = this._kernel;
    if (!kernel || kernel.status === "dead") await context.startKernel();
    else await context.restartKernel();
    await this._ready();
  }

  // A kernel that has said what it is runs what it is given; before, it may lose it.
  async _ready() {
    const end = Date.now() + KERNEL_PATIENCE_MS;
    for (;;) {
      if (this._stop) return;
      const kernel = this._kernel;
      const asked = kernel ? kernel.requestKernelInfo() : Promise.reject(new Error("no kernel"));
      const answer = await Promise.race([asked.catch(() => null), pause(5000).then(() => null)]);
      if (answer) return;
      if (Date.now() > end) throw new Error("The kernel did not start again. Ask for help, or load this page again.");
      await pause(500);
    }
  }

  get _kernel() {
    const session = this.panel.sessionContext.session;
    return session ? session.kernel : null;
  }
}

function hasCode(cell) {
  return cell.model.sharedModel.getSource().trim() !== "";
}

function ran(cell) {
  return cell.model.type === "code" && cell.model.executionCount !== null && cell.model.executionCount !== undefined;
}

function errorOf(cell) {
  const error = cell.model.toJSON().outputs.find((output) => output.output_type === "error");
  return error ? `${error.ename}: ${String(error.evalue).slice(0, 200)}` : "";
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
