// Help request form: note, optional copy of the notebook, and the state of an open request.
import { button, el, formatTime, newId, renderIfChanged } from "./dom.js";
import { copyNotebook, MAX_COPY_BYTES } from "./notebook_copy.js";
import { helpStatus, stepStatus } from "./status_line.js";
import { currentStep, lastErrorName } from "./steps.js";

const MAX_NOTE_CHARACTERS = 1000;

// Created once, so that an unfinished note is still there when the panel is opened again.
export class HelpForm {
  constructor({ connection, notebook, onClose, announce }) {
    Object.assign(this, { connection, notebook, onClose, announce });
    const [noteId, copyId] = [newId("note"), newId("copy")];
    this.note = el("textarea", { id: noteId, rows: 3, maxlength: MAX_NOTE_CHARACTERS, class: "note" });
    this.copyBox = el("input", { id: copyId, type: "checkbox", on: { change: () => this.refresh() } });
    this.summary = el("p", { class: "calm" });
    this.error = el("p", { class: "wrong", role: "alert" });
    this.submit = button("Ask for help", () => this._submit(), { class: "button firstread-main" });
    this.answered = el("p", { class: "answered" });
    this.form = el(
      "form",
      { on: { submit: (event) => event.preventDefault() } },
      this.answered,
      el("label", { for: noteId }, "What is the matter? A few words are enough, and you may leave this empty."),
      this.note,
      el("p", { class: "choice" }, this.copyBox, el("label", { for: copyId }, "Send a copy of my notebook")),
      this.summary,
      this.error,
      el("p", { class: "buttons" }, this.submit, button("Cancel", onClose)),
    );
    this.waiting = el("div");
  }

  get node() {
    return helpStatus(this.connection.status) ? this.waiting : this.form;
  }

  focus() {
    (this.node === this.form ? this.note : this.waiting.querySelector("button"))?.focus();
  }

  // Update the summary of what will be sent.
  refresh() {
    const step = stepStatus(this.notebook, this.connection.status);
    const error = lastErrorName(this.notebook);
    const parts = ["your note"];
    if (step && currentStep(this.notebook)) parts.push(`where you are (${step.place.toLowerCase()})`);
    if (error) parts.push(`the name of the last error (${error})`);
    this._copy = null;
    this.error.textContent = "";
    if (this.copyBox.checked) {
      this._copy = copyNotebook(this.notebook);
      if (this._copy === null) {
        const limit = Math.round(MAX_COPY_BYTES / 1e6);
        this.error.textContent = `The notebook is larger than ${limit} MB even without its outputs; it is not sent.`;
        this.copyBox.checked = false;
      } else {
        parts.push(`a copy of your notebook (${formatSize(this._copy)}, without large images)`);
      }
    }
    this.summary.textContent = `The instructor gets ${joinList(parts)}. Nothing else is sent.`;
    this.refreshWaiting();
  }

  // Update the state of the open request.
  refreshWaiting() {
    const help = this.connection.status && this.connection.status.help;
    const isAnswered = Boolean(help) && help.state === "answered";
    renderIfChanged(this.answered, isAnswered, () => {
      if (!isAnswered) return [];
      const text = "You were answered (see Messages). If that did not help, ask again. ";
      return [text, button("It helped", () => this._withdraw())];
    });
    if (!help || isAnswered) return;
    const key = JSON.stringify([help.id, help.state, help.place, help.note]);
    if (this.waiting.dataset.shown === key) return;
    this.waiting.dataset.shown = key;
    this.waiting.replaceChildren(
      el("p", {}, el("b", {}, `${helpStatus(this.connection.status)}.`), ` You asked at ${formatTime(help.asked)}.`),
      help.note ? el("p", { class: "quote" }, help.note) : "",
      el(
        "p",
        { class: "buttons" },
        button("I no longer need help", () => this._withdraw()),
        button("Close", this.onClose),
      ),
    );
  }

  async _submit() {
    this.refresh();
    const step = currentStep(this.notebook);
    const note = this.note.value.slice(0, MAX_NOTE_CHARACTERS);
    const values = { note, step: step ? step.id : null, error: lastErrorName(this.notebook) };
    this.submit.disabled = true;
    const error = await this.connection.requestHelp(this._copy ? { ...values, notebook: this._copy } : values);
    this.submit.disabled = false;
    if (error) {
      this.error.textContent = `${error} Your note is still here; try again.`;
      return;
    }
    this.note.value = "";
    this.copyBox.checked = false;
    this.onClose();
  }

  async _withdraw() {
    const error = await this.connection.withdrawHelpRequest();
    if (error) this.announce(error);
    else this.onClose();
  }
}

function formatSize(text) {
  const bytes = new Blob([text]).size;
  return bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

function joinList(parts) {
  return parts.length < 2 ? parts.join("") : `${parts.slice(0, -1).join(", ")} and ${parts[parts.length - 1]}`;
}
