// Pictures for the forum: the figure of the selected cell, or a chosen or pasted file, made small enough to be sent.

export const PICTURE_TYPES = ["image/png", "image/jpeg", "image/webp"];
const MAX_SIDE_PIXELS = 1600;
// larger files are encoded again here; the class takes up to 4 MB
const MAX_BYTES = 1_500_000;
const MAX_FILE_BYTES = 60_000_000;

// The last PNG among the outputs of the selected cell as a file; null if it has none.
export function selectedFigure(notebook) {
  const cell = notebook.activeCell;
  if (!cell || cell.model.type !== "code") return null;
  const pictures = cell.model.toJSON().outputs.map((output) => output.data && output.data["image/png"]);
  const last = pictures.filter((picture) => picture).pop();
  if (!last) return null;
  try {
    const bytes = atob((Array.isArray(last) ? last.join("") : last).replace(/\s/g, ""));
    return new Blob([Uint8Array.from(bytes, (letter) => letter.charCodeAt(0))], { type: "image/png" });
  } catch {
    return null;
  }
}

// The picture as it will be sent. Throws an error with a sentence for the participant.
export async function preparePicture(file) {
  if (!PICTURE_TYPES.includes(file.type)) throw new Error("Only PNG, JPEG and WebP pictures can be posted.");
  if (file.size > MAX_FILE_BYTES) throw new Error("This file is too large.");
  let bitmap = null;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    throw new Error("This picture cannot be read.");
  }
  const scale = Math.min(1, MAX_SIDE_PIXELS / Math.max(bitmap.width, bitmap.height));
  if (scale === 1 && file.size <= MAX_BYTES) return file;
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const pen = canvas.getContext("2d");
  pen.fillStyle = "white";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  const toBlob = (type) => new Promise((resolve) => canvas.toBlob(resolve, type, 0.9));
  const png = file.type === "image/png" ? await toBlob("image/png") : null;
  return png && png.size <= MAX_BYTES ? png : toBlob("image/jpeg");
}

export async function toBase64(blob) {
  const reader = new FileReader();
  await new Promise((resolve, reject) => {
    reader.addEventListener("load", resolve);
    reader.addEventListener("error", reject);
    reader.readAsDataURL(blob);
  });
  return reader.result.split(",")[1];
}
