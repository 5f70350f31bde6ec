// A copy of the notebook that is small enough to send.

export const MOST_CHARACTERS = 1_900_000;
const SMALL_OUTPUT = 4000;

// The notebook as text, with outputs only where they are small; null if even without them it is too large.
export function copyOf(notebook) {
  const whole = notebook.model.toJSON();
  const cells = whole.cells.map((cell) => light(cell));
  const tries = [cells, cells.map((cell) => ("outputs" in cell ? { ...cell, outputs: [] } : cell))];
  for (const tried of tries) {
    const text = JSON.stringify({ ...whole, cells: tried });
    if (new Blob([text]).size <= MOST_CHARACTERS) return text;
  }
  return null;
}

function light(cell) {
  const { attachments, ...kept } = cell;
  if (!kept.outputs) return kept;
  return { ...kept, outputs: kept.outputs.map((output) => small(output)).filter((output) => output) };
}

// An output as it is if it is small, else its text alone if that is small.
function small(output) {
  if (JSON.stringify(output).length <= SMALL_OUTPUT) return output;
  if (output.output_type === "error") return { ...output, traceback: [] };
  const text = output.data && output.data["text/plain"];
  if (!text || JSON.stringify(text).length > SMALL_OUTPUT) return null;
  return { ...output, data: { "text/plain": text } };
}
