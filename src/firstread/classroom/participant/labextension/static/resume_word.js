// The participant's resume word, read from the file beside their notebook.

const RESUME_WORD_FILE = "my resume word.txt";

// The word, or null if there is no such file.
export async function readResumeWord(contents, notebookPath) {
  const sibling = [...notebookPath.split("/").slice(0, -1), RESUME_WORD_FILE].join("/");
  for (const path of new Set([sibling, RESUME_WORD_FILE])) {
    try {
      const file = await contents.get(path, { type: "file", format: "text", content: true });
      const word = String(file.content).split("\n")[0].trim();
      if (word) return word;
    } catch {
      // no such file: try the next path
    }
  }
  return null;
}
