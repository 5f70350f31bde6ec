// Form of the forum: a line of text, a picture (the selected cell's figure, a file, or pasted), and who sees it.
import { button, el, newId } from "./dom.js";
import { PICTURE_TYPES, preparePicture, selectedFigure, toBase64 } from "./forum_picture.js";

const MAX_TEXT_CHARACTERS = 300;
const AUDIENCES = [
  ["everyone", "Everyone; only the instructor sees my name"],
  ["instructor", "Only the instructor"],
];

// Created once, so that an unfinished post is still there when the panel is opened again.
export class ForumForm {
  // `onPosted` gets the forum after the post.
  constructor({ client, notebook, onPosted }) {
    Object.assign(this, { client, notebook, onPosted });
    this.picture = null;
    this.answers = null;
    this._key = null;
    this._build();
  }

  _build() {
    const [textId, radioName] = [newId("post"), newId("audience")];
    this.title = el("label", { for: textId }, "");
    this.text = el("textarea", { id: textId, rows: 2, maxlength: MAX_TEXT_CHARACTERS, class: "note" });
    this.file = el("input", { type: "file", accept: PICTURE_TYPES.join(","), hidden: true, tabindex: -1 });
    this.file.addEventListener("change", () => this._take(this.file.files[0]));
    this.figure = button("This cell’s figure", () => this._take(selectedFigure(this.notebook)));
    this.choose = button("Choose a picture", () => this.file.click());
    this.hint = el("span", { class: "calm firstread-paste-hint" }, "or paste one");
    this.chosen = el("div", { class: "chosen", hidden: true });
    this.warning = el(
      "p",
      { class: "warning" },
      el("b", {}, "No patients’ names or numbers"),
      ", not burnt into the picture either.",
    );
    this.error = el("p", { class: "wrong", role: "alert" });
    this.submit = button("Post", () => this._submit(), { class: "button firstread-main" });
    this.cancel = button("Not an answer", () => this.answerTo(null), { hidden: true });
    this.radios = AUDIENCES.map(([value, label], index) => {
      const id = newId("choice");
      const radio = el("input", { id, type: "radio", name: radioName, value, checked: index === 0 });
      return el("p", { class: "choice" }, radio, el("label", { for: id }, label));
    });
    this.audience = el("div", { class: "audience", role: "radiogroup", "aria-label": "Who sees it" }, ...this.radios);
    this.node = el(
      "form",
      { class: "post-form", on: { submit: (event) => event.preventDefault(), paste: (event) => this._onPaste(event) } },
      this.title,
      this.text,
      el("p", { class: "buttons" }, this.figure, this.choose, this.file, this.hint),
      this.chosen,
      this.warning,
      this.audience,
      this.error,
      el("p", { class: "buttons" }, this.submit, this.cancel),
    );
    this.answerTo(null);
  }

  // Update what depends on the selected cell.
  refresh() {
    const hasFigure = selectedFigure(this.notebook) !== null;
    this.figure.disabled = !hasFigure;
    this.figure.title = hasFigure ? "" : "The selected cell shows no figure";
  }

  // Not on a phone, where the keyboard would cover the posts.
  focus() {
    if (window.matchMedia("(pointer: fine)").matches || this.answers !== null) this.text.focus();
  }

  // Answer a post, or, with null, begin a thread.
  answerTo(post) {
    this.answers = post ? post.id : null;
    const about = post ? shorten(post.text) || "a picture" : "";
    this.title.textContent = post ? `Answer to ${about}` : "Post what you see: a line, a picture, or both.";
    this.cancel.hidden = !post;
    this.audience.hidden = Boolean(post);
    this.submit.textContent = post ? "Answer" : "Post";
    this.error.textContent = "";
    if (post) this.focus();
  }

  _onPaste(event) {
    const file = [...event.clipboardData.files].find((one) => one.type.startsWith("image/"));
    if (!file) return;
    event.preventDefault();
    this._take(file);
  }

  async _take(file) {
    this.file.value = "";
    if (!file) return;
    this.error.textContent = "";
    try {
      this._show(await preparePicture(file));
    } catch (error) {
      this.error.textContent = error.message;
    }
  }

  // Show the picture that will be sent, so that what is burnt into it is seen before.
  _show(picture) {
    if (this._url) URL.revokeObjectURL(this._url);
    this.picture = picture;
    this._url = picture ? URL.createObjectURL(picture) : null;
    this.chosen.hidden = !picture;
    const remove = button("Remove", () => {
      this._show(null);
      this.choose.focus();
    });
    this.chosen.replaceChildren(...(picture ? [el("img", { src: this._url, alt: "the picture to post" }), remove] : []));
  }

  async _submit() {
    const audience = this.node.querySelector("input[type=radio]:checked").value;
    const text = this.text.value.replace(/\s+/g, " ").trim();
    if (!text && !this.picture) {
      this.error.textContent = "Type a line, or choose a picture.";
      return this.focus();
    }
    this.submit.disabled = true;
    this.error.textContent = "";
    // the same key if it is sent again, so that a post whose answer was lost is not there twice
    this._key = this._key || newKey();
    const values = { key: this._key, text, audience, answers: this.answers };
    if (this.picture) values.picture = await toBase64(this.picture);
    const { values: forum, error } = await this.client.post(values);
    this.submit.disabled = false;
    if (error) {
      this.error.textContent = `${error} Your post is still here.`;
      return;
    }
    this._key = null;
    this.text.value = "";
    this._show(null);
    this.answerTo(null);
    this.onPosted(forum);
  }
}

function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function shorten(text) {
  return text ? `“${text.length > 60 ? `${text.slice(0, 60)}…` : text}”` : "";
}
