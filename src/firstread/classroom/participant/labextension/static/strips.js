// Strips below the status line: a connection problem, an unsaved draft, progress of a restart, and new messages.
import { button, el, formatTime } from "./dom.js";
import { showCell } from "./steps.js";

// characters of a message that fill more than three lines of a phone
const LONG_MESSAGE = 90;

// One line of text with its buttons; `tone` is "bad", "good", "busy" or "word-of".
export function strip(tone, text, buttons) {
  const paragraph = el("p", {}, ...(Array.isArray(text) ? text : [text]));
  return el("div", { class: `strip firstread-${tone}` }, paragraph, el("span", { class: "buttons" }, ...buttons));
}

export function problemStrip({ text, action }, onAction) {
  return strip("bad", text, action ? [button(action, onAction)] : []);
}

export function draftStrip(draft, { onRestore, onDiscard }) {
  const text = `Something that you typed at ${formatTime(draft.at)} was not saved before this page was closed.`;
  return strip("bad", text, [button("Put it back", onRestore), button("Forget it", onDiscard)]);
}

// A long message is cut short in a narrow bar, where "Read" opens the list of messages.
export function messageStrip(message, { onRead, onClose }) {
  const title = el("b", {}, `${message.title}, ${formatTime(message.sent)}: `);
  const read = button("Read", onRead, { class: "button firstread-short", "aria-label": "Read all of this message" });
  const close = button("Close", onClose, { "aria-label": "Close this message" });
  return strip("word-of", [title, message.text], message.text.length > LONG_MESSAGE ? [read, close] : [close]);
}

export function progressStrip(progress, notebook, { onStop, onClose }) {
  const stop = button("Stop", onStop);
  const close = button("Close", onClose);
  if (progress.state === "restarting") return strip("busy", "Restarting the kernel …", [stop]);
  if (progress.state === "running") {
    const bar = el("progress", { max: progress.of, value: progress.number - 1, "aria-hidden": "true" });
    return strip("busy", [`Running cell ${progress.number} of ${progress.of} `, bar], [stop]);
  }
  if (progress.state === "failed") {
    const show = button("Show the cell", () => showCell(notebook, progress.index));
    const text = [el("b", {}, "Stopped at an error. "), progress.error];
    return strip("bad", text, progress.index >= 0 ? [show, close] : [close]);
  }
  if (progress.state === "server-restarted") {
    const text =
      "Your notebook was started again. Your text is kept, what it had computed is not: " +
      "“Restart and catch up” computes it again.";
    return strip("bad", text, [close]);
  }
  if (progress.state === "stopped") return strip("good", "Stopped, as you asked.", [close]);
  const ran = progress.of === 1 ? "1 cell was run" : `${progress.of} cells were run`;
  const text = progress.of ? `Caught up: ${ran}.` : "Restarted; there was no cell to run.";
  return strip("good", text, [close]);
}
