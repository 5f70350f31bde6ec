// Panels that open below the status line: messages, links, the resume word, and the question before a restart.
import { button, el, formatTime, safeUrl } from "./dom.js";

// All messages of the instructor since this participant joined, the newest first.
export function messagesPanel(messages) {
  const items = messages.toReversed().map((message) =>
    el(
      "li",
      {},
      el("p", { class: "calm" }, `${message.title}, ${formatTime(message.sent)}`),
      message.note ? el("p", { class: "quote" }, message.note) : "",
      el("p", { class: "said" }, message.text),
    ),
  );
  return [el("ul", { class: "messages" }, ...items)];
}

// Links of the class and the resume word; without links the word is shown at once, else on request.
export function morePanel({ links, readWord }) {
  const output = el("div", { class: "secret", role: "status" });
  const showWord = async () => {
    const word = await readWord();
    const note = word
      ? "With this word and the class's code you come back to your work from any browser. Write it down."
      : "The file with your resume word is no longer beside your notebook. The instructor can help.";
    output.replaceChildren(word ? el("p", { class: "word" }, word) : "", el("p", { class: "calm" }, note));
  };
  if (links.length) {
    return [linksList(links), el("p", { class: "buttons" }, button("My resume word", showWord)), output];
  }
  showWord();
  return [output];
}

// What a restart loses, and whether to restart all the same.
export function restartPanel(lossWarning, { onRestart, onCancel }) {
  const restart = button("Restart and catch up", onRestart, { class: "button firstread-main" });
  return [
    el("p", {}, lossWarning || "Nothing is lost."),
    el("p", { class: "buttons" }, restart, button("Leave it", onCancel)),
  ];
}

export function linksList(links) {
  const items = [];
  for (const { title, address } of links) {
    const href = safeUrl(address);
    if (href && title) items.push(el("li", {}, el("a", { href, target: "_blank", rel: "noopener" }, String(title))));
  }
  return items.length ? el("ul", { class: "links" }, ...items) : "";
}
