// The forum in the class bar: the form, the posts, and whether there is something new.
import { el } from "./dom.js";
import { ForumClient } from "./forum_client.js";
import { ForumForm } from "./forum_form.js";
import { ForumPosts } from "./forum_posts.js";

export class ForumPanel {
  constructor({ connection, notebook, announce }) {
    Object.assign(this, { connection, announce });
    this.client = new ForumClient(connection);
    this.form = new ForumForm({ client: this.client, notebook, onPosted: (forum) => this._show(forum) });
    this.posts = new ForumPosts({
      client: this.client,
      onAnswer: (post) => this.form.answerTo(post),
      onWithdraw: (post) => this._withdraw(post),
    });
    this.closed = el("p", { class: "calm", hidden: true }, "The forum is closed: what was posted can be read.");
    this.error = el("p", { class: "wrong", role: "alert" });
    const side = el("div", {}, this.form.node, this.closed);
    this.node = el("div", { class: "forum" }, side, el("div", {}, this.error, this.posts.node));
    this._storageKey = `firstread:forum-seen:${connection.settings.baseUrl}`;
    this._seen = readNumber(this._storageKey);
    this._version = null;
    this._isLoading = false;
  }

  get label() {
    return this._newest > this._seen ? "Forum (new)" : "Forum";
  }

  // False for a class of before there was a forum, and for a closed forum without posts.
  get isOffered() {
    return Boolean(this._status) && (this._status.mode !== "closed" || this._status.count > 0);
  }

  focus() {
    this.form.focus();
  }

  // Called with each poll of the class: the posts are read only while they are looked at, and if they have changed.
  update(isOpen) {
    if (!this._status || !isOpen) return;
    this.form.refresh();
    this._showMode(this._status.mode);
    this._markSeen();
    if (this._status.version !== this._version) this._load();
  }

  async _load() {
    if (this._isLoading) return;
    this._isLoading = true;
    const { values, error } = await this.client.load();
    this._isLoading = false;
    this.error.textContent = error ? "The posts cannot be read just now. Trying again." : "";
    if (values) this._show(values);
  }

  _show(forum) {
    this._version = forum.version;
    this.error.textContent = "";
    this._showMode(forum.mode);
    this.posts.render(forum);
  }

  _showMode(mode) {
    this.form.node.hidden = mode === "closed";
    this.closed.hidden = mode !== "closed";
  }

  async _withdraw(post) {
    const { values, error } = await this.client.withdraw(post.id);
    this.error.textContent = error || "";
    if (!values) return;
    this._show(values);
    this.announce("Withdrawn");
  }

  _markSeen() {
    if (this._newest <= this._seen) return;
    this._seen = this._newest;
    try {
      localStorage.setItem(this._storageKey, String(this._seen));
    } catch {
      // private browsing: it is remembered until the page is closed
    }
  }

  get _status() {
    return this.connection.status && this.connection.status.forum;
  }

  get _newest() {
    return this._status ? this._status.newest : 0;
  }
}

function readNumber(key) {
  try {
    return Number(localStorage.getItem(key)) || 0;
  } catch {
    return 0;
  }
}
