// Where a participant was when they come back: the last cell that was run, as the notebook itself says.
import { showCell } from "./steps.js";

const KERNEL_ANSWER_MS = 10000;
const BAR = ".firstread-bar";

// Go to the last cell that was run, unless they have already gone elsewhere, and say if what it computed is gone.
// Nothing happens in a new notebook.
export async function returnToLastPlace(panel, { onNewKernel }) {
  await panel.revealed;
  const notebook = panel.content;
  const index = lastRunIndex(notebook);
  if (index < 0) return;
  const isInBar = () => Boolean(document.activeElement?.closest(BAR));
  const isElsewhere = notebook.activeCellIndex > 0 || window.location.hash || isInBar();
  if (!isElsewhere) await showCell(notebook, index, index, () => !isInBar());
  if (await isNewKernel(panel)) onNewKernel();
}

function lastRunIndex(notebook) {
  const wasRun = ({ model }) => model.type === "code" && (model.executionCount || model.outputs.length > 0);
  return notebook.widgets.findLastIndex(wasRun);
}

// An empty request that leaves no trace is answered with the number of cells that the kernel has run.
async function isNewKernel(panel) {
  await panel.sessionContext.ready;
  const kernel = panel.sessionContext.session && panel.sessionContext.session.kernel;
  if (!kernel || kernel.status === "busy") return false;
  const answer = kernel.requestExecute({ code: "", silent: true, store_history: false }).done.catch(() => null);
  const timeout = new Promise((resolve) => setTimeout(() => resolve(null), KERNEL_ANSWER_MS));
  const reply = await Promise.race([answer, timeout]);
  return Boolean(reply) && reply.content.execution_count === 0;
}
