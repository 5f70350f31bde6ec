// What opens below the line: the call for help, the messages, and the rest.
import { copyOf, MOST_CHARACTERS } from "./copy.js";
import { button, clock, el, newId, safeAddress } from "./dom.js";
import { helpOf, placeOf } from "./line.js";
import { lastError, stepAt } from "./steps.js";

const MOST_NOTE = 1000;

// The form, made once, so that a note that was begun is there when the panel is opened again.
export class HelpForm {
  constructor({ asking, notebook, close, say }) {
    Object.assign(this, { asking, notebook, close, say });
    const [noteId, copyId] = [newId("note"), newId("copy")];
    this.note = el("textarea", { id: noteId, rows: 3, maxlength: MOST_NOTE, class: "note" });
    this.copy = el("input", { id: copyId, type: "checkbox", on: { change: () => this.refresh() } });
    this.sent = el("p", { class: "calm" });
    this.wrong = el("p", { class: "wrong", role: "alert" });
    this.send = button("Ask for help", () => this._send(), { class: "button firstread-main" });
    this.form = el(
      "form",
      { on: { submit: (event) => event.preventDefault() } },
      el("label", { for: noteId }, "What is the matter? A few words are enough, and you may leave this empty."),
      this.note,
      el("p", { class: "choice" }, this.copy, el("label", { for: copyId }, "Send a copy of my notebook")),
      this.sent,
      this.wrong,
      el("p", { class: "buttons" }, this.send, button("Cancel", close)),
    );
    this.waiting = el("div");
  }

  get node() {
    return this.asking.now && this.asking.now.help ? this.waiting : this.form;
  }

  focus() {
    (this.node === this.form ? this.note : this.waiting.querySelector("button"))?.focus();
  }

  // Say what will go along, as it is now.
  refresh() {
    const place = placeOf(this.notebook, this.asking.now);
    const error = lastError(this.notebook);
    const parts = ["your note"];
    if (place && stepAt(this.notebook)) parts.push(`where you are (${place.place.toLowerCase()})`);
    if (error) parts.push(`the name of the last error (${error})`);
    this._text = null;
    this.wrong.textContent = "";
    if (this.copy.checked) {
      this._text = copyOf(this.notebook);
      if (this._text === null) {
        this.wrong.textContent = `The notebook is larger than ${Math.round(MOST_CHARACTERS / 1e6)} MB even without its outputs; it is not sent.`;
        this.copy.checked = false;
      } else {
        parts.push(`a copy of your notebook (${sizeOf(this._text)}, without large images)`);
      }
    }
    this.sent.textContent = `The instructor gets ${listed(parts)}. Nothing else is sent.`;
    this._refreshWaiting();
  }

  _refreshWaiting() {
    const help = this.asking.now && this.asking.now.help;
    if (!help) return;
    const shown = JSON.stringify([help.id, help.state, help.place, help.note]);
    if (this.waiting.dataset.shown === shown) return;
    this.waiting.dataset.shown = shown;
    this.waiting.replaceChildren(
      el("p", {}, el("b", {}, `${helpOf(this.asking.now)}.`), ` You asked at ${clock(help.asked)}.`),
      help.note ? el("p", { class: "quote" }, help.note) : "",
      el(
        "p",
        { class: "buttons" },
        button("I no longer need help", () => this._withdraw()),
        button("Close", this.close),
      ),
    );
  }

  async _send() {
    this.refresh();
    const step = stepAt(this.notebook);
    const values = { note: this.note.value.slice(0, MOST_NOTE), step: step ? step.id : null, error: lastError(this.notebook) };
    this.send.disabled = true;
    const wrong = await this.asking.askHelp(this._text ? { ...values, notebook: this._text } : values);
    this.send.disabled = false;
    if (wrong) {
      this.wrong.textContent = `${wrong} Your note is still here; try again.`;
      return;
    }
    this.note.value = "";
    this.copy.checked = false;
    this.close();
  }

  async _withdraw() {
    const wrong = await this.asking.withdrawHelp();
    if (wrong) this.say(wrong);
    else this.close();
  }
}

// Everything that the instructor said since this participant joined, the newest first.
export function messagesPanel(messages) {
  const items = messages.toReversed().map((one) =>
    el(
      "li",
      {},
      el("p", { class: "calm" }, `${one.title}, ${clock(one.sent)}`),
      one.note ? el("p", { class: "quote" }, one.note) : "",
      el("p", { class: "said" }, one.text),
    ),
  );
  return [el("ul", { class: "messages" }, ...items)];
}

// The links that the class gives, and the resume word: at once if there is nothing else, else when asked for.
export function morePanel({ links, word }) {
  const place = el("div", { class: "secret", role: "status" });
  const tell = async () => {
    const found = await word();
    const about = found
      ? "With this word and the class's code you come back to your work from any browser. Write it down."
      : "The file with your resume word is no longer beside your notebook. The instructor can help.";
    place.replaceChildren(found ? el("p", { class: "word" }, found) : "", el("p", { class: "calm" }, about));
  };
  if (links.length) return [linksList(links), el("p", { class: "buttons" }, button("My resume word", tell)), place];
  tell();
  return [place];
}

export function linksList(links) {
  const items = [];
  for (const { title, address } of links) {
    const href = safeAddress(address);
    if (href && title) items.push(el("li", {}, el("a", { href, target: "_blank", rel: "noopener" }, String(title))));
  }
  return items.length ? el("ul", { class: "links" }, ...items) : "";
}

function sizeOf(text) {
  const bytes = new Blob([text]).size;
  return bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

function listed(parts) {
  return parts.length < 2 ? parts.join("") : `${parts.slice(0, -1).join(", ")} and ${parts[parts.length - 1]}`;
}
