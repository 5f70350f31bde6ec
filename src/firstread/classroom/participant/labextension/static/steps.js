// Steps of a lesson in a notebook: the cell that begins one carries the tag step-NAME.

const TAG = "step-";

function stepOf(cell) {
  const tag = (cell.getMetadata("tags") || []).find((one) => String(one).startsWith(TAG));
  return tag ? tag.slice(TAG.length) : null;
}

// The steps in the order of the notebook: id, the cell that carries the tag, and the cell where its text begins.
export function stepsOf(notebook) {
  const cells = notebook.model ? Array.from(notebook.model.cells) : [];
  const found = [];
  cells.forEach((cell, index) => {
    const id = stepOf(cell);
    if (id) found.push({ id, cell: index, begin: beginning(cells, index) });
  });
  return found;
}

// Its heading stands in the text above the tagged cell.
function beginning(cells, index) {
  let begin = index;
  while (begin > 0 && cells[begin - 1].type === "markdown") {
    begin -= 1;
    if (/^#{1,3}\s/m.test(cells[begin].sharedModel.getSource())) return begin;
  }
  return begin;
}

// The step that the selected cell belongs to; null above the first.
export function stepAt(notebook) {
  const before = stepsOf(notebook).filter((step) => step.begin <= notebook.activeCellIndex);
  return before.length ? before[before.length - 1] : null;
}

// Select a step's cell, with its heading in sight. False if the notebook has no such step.
export async function goTo(notebook, id) {
  const step = stepsOf(notebook).find((one) => one.id === id);
  if (!step) return false;
  await show(notebook, step.cell, step.begin);
  return true;
}

// Select a cell and bring it, or the text above it, to the top.
export async function show(notebook, index, top = index) {
  notebook.deselectAll();
  notebook.mode = "command";
  notebook.activeCellIndex = index;
  await notebook.scrollToItem(top, "start");
  notebook.activate();
}

// Name of the error that came last, such as "NameError"; null if no cell shows one.
export function lastError(notebook) {
  let last = { count: -1, name: null };
  for (const cell of notebook.model ? notebook.model.cells : []) {
    if (cell.type !== "code") continue;
    const error = cell.toJSON().outputs.find((output) => output.output_type === "error");
    const count = cell.executionCount || 0;
    if (error && count >= last.count) last = { count, name: String(error.ename) };
  }
  return last.name && /^[A-Za-z_][A-Za-z0-9_.]{0,99}$/.test(last.name) ? last.name : null;
}
