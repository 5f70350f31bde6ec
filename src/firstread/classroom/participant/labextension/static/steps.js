// Steps of a lesson in a notebook: the first cell of a step carries the tag step-NAME.

const TAG_PREFIX = "step-";

function stepId(cell) {
  const tag = (cell.getMetadata("tags") || []).find((one) => String(one).startsWith(TAG_PREFIX));
  return tag ? tag.slice(TAG_PREFIX.length) : null;
}

// Steps in the order of the notebook: `id`, index of the tagged `cell`, and index of the cell `begin` with its heading.
export function listSteps(notebook) {
  const cells = notebook.model ? Array.from(notebook.model.cells) : [];
  const steps = [];
  cells.forEach((cell, index) => {
    const id = stepId(cell);
    if (id) steps.push({ id, cell: index, begin: headingIndex(cells, index) });
  });
  return steps;
}

// The heading of a step is in the text above the tagged cell.
function headingIndex(cells, index) {
  let begin = index;
  while (begin > 0 && cells[begin - 1].type === "markdown") {
    begin -= 1;
    if (/^#{1,3}\s/m.test(cells[begin].sharedModel.getSource())) return begin;
  }
  return begin;
}

// Step of the selected cell; null above the first.
export function currentStep(notebook) {
  const before = listSteps(notebook).filter((step) => step.begin <= notebook.activeCellIndex);
  return before.length ? before[before.length - 1] : null;
}

// Select the first cell of a step and show its heading. False if the notebook has no such step.
export async function goToStep(notebook, id) {
  const step = listSteps(notebook).find((one) => one.id === id);
  if (!step) return false;
  await showCell(notebook, step.cell, step.begin);
  return true;
}

// Select a cell and scroll it, or the cell `top` above it, to the top. The keyboard follows, if `mayFocus` still says so.
export async function showCell(notebook, index, top = index, mayFocus = () => true) {
  notebook.deselectAll();
  notebook.mode = "command";
  notebook.activeCellIndex = index;
  await notebook.scrollToItem(top, "start");
  if (mayFocus()) notebook.activate();
}

// Name of the latest error, such as "NameError"; null if no cell shows one.
export function lastErrorName(notebook) {
  let last = { count: -1, name: null };
  for (const cell of notebook.model ? notebook.model.cells : []) {
    if (cell.type !== "code") continue;
    const error = cell.toJSON().outputs.find((output) => output.output_type === "error");
    const count = cell.executionCount || 0;
    if (error && count >= last.count) last = { count, name: String(error.ename) };
  }
  return last.name && /^[A-Za-z_][A-Za-z0-9_.]{0,99}$/.test(last.name) ? last.name : null;
}
