// List of the forum's posts, the newest first, each with its answers and its picture.
import { button, el, formatTime } from "./dom.js";

const STATE_NOTES = {
  waiting: "waits for the instructor; only you see it",
  hidden: "hidden by the instructor; only you see it",
};

// Elements of posts that have not changed stay, with the pictures that they show.
export class ForumPosts {
  constructor({ client, onAnswer, onWithdraw }) {
    Object.assign(this, { client, onAnswer, onWithdraw });
    this.list = el("ul", { class: "posts" });
    this.note = el("p", { class: "calm" });
    this.node = el("div", { class: "thread-list" }, this.note, this.list);
    this._shown = new Map();
  }

  render(forum) {
    this.note.textContent = forum.posts.length ? "" : "Nobody has posted yet.";
    const shown = new Map();
    for (const post of forum.posts) {
      const key = JSON.stringify([post, forum.mode]);
      const known = this._shown.get(post.id);
      shown.set(post.id, known && known.key === key ? known : { key, node: this._thread(post, forum.mode) });
    }
    this._shown = shown;
    const nodes = [...shown.values()].map((one) => one.node);
    if (nodes.length !== this.list.children.length || nodes.some((node, index) => node !== this.list.children[index])) {
      this.list.replaceChildren(...nodes);
    }
  }

  _thread(post, mode) {
    const answers = post.answers.map((answer) => el("li", { class: "post" }, ...this._content(answer)));
    const canAnswer = mode !== "closed" && post.state === "shown";
    const answer = canAnswer ? button("Answer", () => this.onAnswer(post)) : "";
    return el(
      "li",
      { class: "post" },
      ...this._content(post, answer),
      answers.length ? el("ul", { class: "answers" }, ...answers) : "",
    );
  }

  _content(post, answer = "") {
    const notes = [STATE_NOTES[post.state], post.audience === "instructor" ? "only you and the instructor see it" : ""];
    const note = notes.filter((text) => text).join("; ");
    const buttons = [answer, post.own ? this._withdrawButton(post) : ""].filter((one) => one);
    return [
      el("p", { class: "author" }, el("b", {}, post.author), `, ${formatTime(post.posted)}`, note ? ` (${note})` : ""),
      post.text ? el("p", { class: "said", dir: "auto" }, post.text) : "",
      post.picture ? this._picture(post) : "",
      buttons.length ? el("p", { class: "buttons" }, ...buttons) : "",
    ];
  }

  _picture(post) {
    const image = el("img", {
      src: this.client.pictureUrl("previews", post.picture),
      width: post.width,
      height: post.height,
      loading: "lazy",
      alt: `picture posted by ${post.own ? "you" : post.author.toLowerCase()}`,
    });
    const href = this.client.pictureUrl("pictures", post.picture);
    return el("a", { href, target: "_blank", rel: "noopener", title: "Show it large" }, image);
  }

  // Pressed once it asks, pressed again it withdraws.
  _withdrawButton(post) {
    const control = button("Withdraw", () => {
      if (control.dataset.asked) return this.onWithdraw(post);
      control.dataset.asked = "yes";
      control.textContent = post.answers && post.answers.length ? "Really, with its answers" : "Really withdraw";
    });
    return control;
  }
}
