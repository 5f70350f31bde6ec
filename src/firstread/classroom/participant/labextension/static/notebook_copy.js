// Copy of the notebook that is small enough to send with a help request.

export const MAX_COPY_BYTES = 1_900_000;
const MAX_OUTPUT_CHARACTERS = 4000;

// The notebook as text with small outputs only; null if it is too large even without outputs.
export function copyNotebook(notebook) {
  const json = notebook.model.toJSON();
  const cells = json.cells.map((cell) => reduceCell(cell));
  const candidates = [cells, cells.map((cell) => ("outputs" in cell ? { ...cell, outputs: [] } : cell))];
  for (const candidate of candidates) {
    const text = JSON.stringify({ ...json, cells: candidate });
    if (new Blob([text]).size <= MAX_COPY_BYTES) return text;
  }
  return null;
}

function reduceCell(cell) {
  const { attachments, ...reduced } = cell;
  if (!reduced.outputs) return reduced;
  return { ...reduced, outputs: reduced.outputs.map((output) => reduceOutput(output)).filter((output) => output) };
}

// A small output as it is; of a large one only its text, if that is small.
function reduceOutput(output) {
  if (JSON.stringify(output).length <= MAX_OUTPUT_CHARACTERS) return output;
  if (output.output_type === "error") return { ...output, traceback: [] };
  const text = output.data && output.data["text/plain"];
  if (!text || JSON.stringify(text).length > MAX_OUTPUT_CHARACTERS) return null;
  return { ...output, data: { "text/plain": text } };
}
