// The participant's resume word, from the file that lies beside their notebook.

const WORD_FILE = "my resume word.txt";

// The word, or null if the file is gone.
export async function resumeWord(contents, path) {
  const beside = [...path.split("/").slice(0, -1), WORD_FILE].join("/");
  for (const place of new Set([beside, WORD_FILE])) {
    try {
      const file = await contents.get(place, { type: "file", format: "text", content: true });
      const first = String(file.content).split("\n")[0].trim();
      if (first) return first;
    } catch {
      // not here
    }
  }
  return null;
}
