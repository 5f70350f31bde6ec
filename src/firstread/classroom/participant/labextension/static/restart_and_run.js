// Restart the kernel and run the code cells again down to the participant's place ("Restart and catch up").
import { currentStep, showCell } from "./steps.js";

const KERNEL_TIMEOUT_MS = 60000;

export class RestartAndRun {
  // `onProgress` gets {state, ...}: "restarting", "running" (number, of), "stopped", "failed" (error, index), "done" (of)
  constructor(panel, actions, onProgress) {
    this.panel = panel;
    this.actions = actions;
    this.onProgress = onProgress;
    this.isRunning = false;
    this._isStopped = false;
  }

  // Code cells to run: all down to the selected one, or to the first of its step.
  cells() {
    const notebook = this.panel.content;
    const step = currentStep(notebook);
    const last = Math.max(notebook.activeCellIndex, step ? step.cell : 0);
    return notebook.widgets.slice(0, last + 1).filter((cell) => cell.model.type === "code" && hasCode(cell));
  }

  // What a restart would lose, as one sentence; "" if nothing.
  lossWarning() {
    const kernel = this._kernel;
    if (!kernel || kernel.status === "dead") return "";
    if (kernel.status === "busy") return "A cell is running now: what it has done so far is lost.";
    const toRun = new Set(this.cells());
    const below = this.panel.content.widgets.filter((cell) => wasRun(cell) && !toRun.has(cell)).length;
    if (!below) return "";
    const cells = below === 1 ? "1 cell" : `${below} cells`;
    return `You have also run ${cells} further down: what they computed is gone until you run them again.`;
  }

  async run() {
    if (this.isRunning) return;
    this.isRunning = true;
    this._isStopped = false;
    const notebook = this.panel.content;
    const selected = notebook.activeCellIndex;
    const cells = this.cells();
    try {
      this.onProgress({ state: "restarting" });
      await this._restartKernel();
      notebook.widgets.forEach((cell) => wasRun(cell) && (cell.model.executionCount = null));
      await this._runCells(cells, selected);
    } catch (error) {
      this.onProgress({ state: "failed", error: error instanceof Error ? error.message : String(error), index: -1 });
    } finally {
      this.isRunning = false;
    }
  }

  stop() {
    this._isStopped = true;
    const kernel = this._kernel;
    if (kernel) kernel.interrupt().catch(() => {});
  }

  async _runCells(cells, selected) {
    const notebook = this.panel.content;
    for (const [position, cell] of cells.entries()) {
      if (this._isStopped) return this.onProgress({ state: "stopped" });
      if (cell.isDisposed) continue;
      const index = notebook.widgets.indexOf(cell);
      this.onProgress({ state: "running", number: position + 1, of: cells.length });
      const succeeded = await this.actions.runCells(notebook, [cell], this.panel.sessionContext);
      const error = errorText(cell);
      if (this._isStopped) return this.onProgress({ state: "stopped" });
      if (!succeeded || error) {
        await showCell(notebook, index);
        return this.onProgress({ state: "failed", error: error || "The cell could not be run", index });
      }
    }
    await showCell(notebook, Math.min(selected, notebook.widgets.length - 1));
    this.onProgress({ state: "done", of: cells.length });
  }

  // Connect to a new kernel after the server was started again: the kernel that the page knows no longer exists.
  async replaceKernel() {
    const context = this.panel.sessionContext;
    this.panel.content.widgets.forEach((cell) => wasRun(cell) && (cell.model.executionCount = null));
    const name = (this._kernel && this._kernel.name) || "python3";
    if (context.session) context.session.dispose(); // of the old server; the new one does not know it
    await context.changeKernel({ name });
  }

  async _restartKernel() {
    const context = this.panel.sessionContext;
    const kernel = this._kernel;
    if (!kernel || kernel.status === "dead") await context.startKernel();
    else await context.restartKernel();
    await this._waitForKernel();
  }

  // A kernel may lose a request that is sent before it has answered a kernel_info_request.
  async _waitForKernel() {
    const end = Date.now() + KERNEL_TIMEOUT_MS;
    for (;;) {
      if (this._isStopped) return;
      const kernel = this._kernel;
      const request = kernel ? kernel.requestKernelInfo() : Promise.reject(new Error("no kernel"));
      const answer = await Promise.race([request.catch(() => null), sleep(5000).then(() => null)]);
      if (answer) return;
      if (Date.now() > end) throw new Error("The kernel did not start again. Ask for help, or load this page again.");
      await sleep(500);
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

function wasRun(cell) {
  return cell.model.type === "code" && cell.model.executionCount !== null && cell.model.executionCount !== undefined;
}

function errorText(cell) {
  const error = cell.model.toJSON().outputs.find((output) => output.output_type === "error");
  return error ? `${error.ename}: ${String(error.evalue).slice(0, 200)}` : "";
}

function sleep(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
