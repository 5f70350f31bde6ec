// The bar above one notebook.
import { CatchingUp } from "./catching_up.js";
import { button, clock, el, newId, refill } from "./dom.js";
import { calledOf, helpOf, placeOf, timeOf, troubleOf } from "./line.js";
import { HelpForm, linksList, messagesPanel, morePanel } from "./panels.js";
import { messagesOf, Seen } from "./seen.js";
import { goTo, show } from "./steps.js";
import { resumeWord } from "./word.js";

const LOOK_MS = 10000;
// so many words of the instructor stand below the line at once; all stand in the messages
const MOST_NEWS = 2;

export class Bar {
  constructor(panel, { asking, contents, actions, keeping, Widget }) {
    Object.assign(this, { panel, asking, contents, keeping });
    this.notebook = panel.content;
    this.seen = new Seen(asking.settings.baseUrl);
    this.open = null;
    this.progress = null;
    this._told = {};
    this._build(Widget);
    this.help = new HelpForm({
      asking,
      notebook: this.notebook,
      close: () => this._toggle(null),
      say: (words) => this._tell(words),
    });
    this.catching = new CatchingUp(panel, actions, (progress) => this._onProgress(progress));
    this._later = 0;
    const soon = () => {
      clearTimeout(this._later);
      this._later = setTimeout(() => this.render(), 250);
    };
    this.notebook.activeCellChanged.connect(soon);
    this.notebook.model.contentChanged.connect(soon);
    this._forget = asking.changed(({ back }) => {
      if (back && asking.fresh) this._startedAgain();
      this.render();
    });
    this._clock = setInterval(() => this.render(), LOOK_MS);
    this.render();
  }

  leave() {
    this._forget();
    clearInterval(this._clock);
    clearTimeout(this._later);
    this._size.disconnect();
  }

  _build(Widget) {
    const panelId = newId("panel");
    const opens = { "aria-expanded": "false", "aria-controls": panelId };
    this.parts = {
      place: el("span", { class: "place" }),
      time: el("span", { class: "time" }),
      called: el("span", { class: "called" }),
      links: el("span", { class: "urgent" }),
      messages: button("Messages", () => this._toggle("messages"), opens),
      help: button("I need help", () => this._toggle("help"), { ...opens, class: "button firstread-main" }),
      catchUp: button("Restart and catch up", () => this._catchUp(), opens),
      more: button("More", () => this._toggle("more"), opens),
      news: el("div", { class: "news" }),
      panel: el("div", { class: "panel", id: panelId, hidden: true }),
      live: el("div", { class: "live", role: "status", "aria-live": "polite" }),
    };
    const { place, time, called, links, messages, help, catchUp, more, news, panel, live } = this.parts;
    const inner = el(
      "div",
      { class: "inner", on: { keydown: (event) => this._onKey(event) } },
      el(
        "div",
        { class: "line" },
        el("span", { class: "where" }, place, time, called, links),
        el("span", { class: "tools" }, messages, help, catchUp, more),
      ),
      panel,
      news,
      live,
    );
    const outer = el("section", { class: "bar", "aria-label": "The class" }, inner);
    this.widget = new Widget({ node: outer });
    // the layout of JupyterLab asks for a height; ours follows from the width
    this._size = new ResizeObserver(() => {
      const height = `${Math.ceil(inner.getBoundingClientRect().height)}px`;
      if (outer.style.minHeight === height) return;
      outer.style.minHeight = height;
      if (this.widget.parent) this.widget.parent.fit();
    });
    this._size.observe(inner);
  }

  render() {
    if (this.panel.isDisposed || !this.notebook.model) return;
    const { now } = this.asking;
    const { parts } = this;
    const place = placeOf(this.notebook, now);
    refill(parts.place, place, () => (place ? [el("b", {}, place.place), el("span", { class: "title", title: place.title }, place.title)] : []));
    const time = timeOf(now);
    refill(parts.time, time, () => [time]);
    this._renderCalled(calledOf(this.notebook, now));
    const urgent = this._links.filter((one) => one.now === true);
    refill(parts.links, urgent, () => [linksList(urgent)]);
    const messages = messagesOf(this.asking);
    parts.messages.hidden = !messages.length;
    parts.messages.textContent = `Messages (${messages.length})`;
    const waiting = helpOf(now);
    parts.help.textContent = waiting || "I need help";
    parts.help.classList.toggle("firstread-waiting", Boolean(waiting));
    parts.more.textContent = this._links.length ? "More" : "My resume word";
    parts.catchUp.disabled = this.catching.running;
    this._renderNews(messages);
    this._renderPanel(messages);
    this._announce("help", waiting, (words, before) => words || (before ? "You are no longer in the line for help." : ""));
    const trouble = troubleOf(this.asking);
    this._announce("trouble", trouble ? trouble.words : "", (words, before) => words || (before ? "Connected again." : ""));
  }

  _renderCalled(called) {
    refill(this.parts.called, called, () => {
      if (!called) return [];
      const go = button("Go there", () => goTo(this.notebook, called.id), { title: called.title });
      return [el("b", {}, called.here ? called.words : `${called.words}.`), called.here ? "" : go];
    });
    this._announce("called", called ? `${called.words}, ${called.title}` : "", (words) => words);
  }

  _renderNews(messages) {
    const trouble = troubleOf(this.asking);
    const unseen = messages.filter((one) => !this.seen.has(one.mark)).slice(-MOST_NEWS);
    if (this.open === "messages") unseen.splice(0).forEach((one) => this.seen.add(one.mark));
    const draft = this.keeping.draft;
    const shown = [trouble, draft && draft.at, this.progress, unseen];
    refill(this.parts.news, shown, () => [
      trouble ? this._troubleStrip(trouble) : "",
      draft ? this._draftStrip(draft) : "",
      this.progress ? this._progressStrip(this.progress) : "",
      ...unseen.map((one) => this._messageStrip(one)),
    ]);
    const last = unseen[unseen.length - 1];
    this._announce("message", last ? `${last.title}: ${last.text}` : "", (words) => words);
  }

  _troubleStrip({ words, action }) {
    const does = () => (this.asking.server === "stopped" ? this._startAgain() : window.location.reload());
    return strip("bad", words, action ? [button(action, does)] : []);
  }

  _draftStrip(draft) {
    const words = `Something that you typed at ${clock(draft.at)} was not saved before this page was closed.`;
    const close = (does) => () => {
      does();
      this.render();
    };
    return strip("bad", words, [
      button("Put it back", close(() => this.keeping.putBack())),
      button("Forget it", close(() => this.keeping.forgetDraft())),
    ]);
  }

  _messageStrip(message) {
    const close = () => {
      this.seen.add(message.mark);
      this.render();
      this.parts.messages.focus();
    };
    const title = el("b", {}, `${message.title}, ${clock(message.sent)}: `);
    return strip("word-of", [title, message.text], [button("Close", close, { "aria-label": "Close this message" })]);
  }

  _progressStrip(progress) {
    const close = () => {
      this.progress = null;
      this.render();
    };
    const ok = button("Close", close);
    if (progress.state === "restarting") return strip("busy", "Restarting the kernel …", [this._stopButton()]);
    if (progress.state === "running") {
      const bar = el("progress", { max: progress.of, value: progress.number - 1, "aria-hidden": "true" });
      return strip("busy", [`Running cell ${progress.number} of ${progress.of} `, bar], [this._stopButton()]);
    }
    if (progress.state === "failed") {
      const look = button("Show the cell", () => show(this.notebook, progress.index));
      const words = [el("b", {}, "Stopped at an error. "), progress.error];
      return strip("bad", words, progress.index >= 0 ? [look, ok] : [ok]);
    }
    if (progress.state === "fresh") {
      const words = "Your notebook was started again. Your text is kept, what it had computed is not: “Restart and catch up” computes it again.";
      return strip("bad", words, [ok]);
    }
    if (progress.state === "stopped") return strip("good", "Stopped, as you asked.", [ok]);
    return strip("good", progress.of ? `Caught up: ${progress.of} cells were run.` : "Restarted; there was no cell to run.", [ok]);
  }

  async _startedAgain() {
    setTimeout(() => (this.asking.fresh = false));
    this.progress = { state: "fresh" };
    this._tell("Your notebook was started again.");
    await this.catching.freshKernel().catch(() => {});
  }

  _stopButton() {
    return button("Stop", () => this.catching.stop());
  }

  _onProgress(progress) {
    this.progress = progress;
    const words = { restarting: "Restarting the kernel", stopped: "Stopped", done: "Caught up", failed: `Stopped at an error. ${progress.error}` };
    if (words[progress.state]) this._tell(words[progress.state]);
    this.render();
    // the button is enabled again once everything has ended
    if (!["restarting", "running"].includes(progress.state)) setTimeout(() => this.render(), 50);
  }

  _catchUp() {
    const lost = this.catching.loss();
    if (lost) this._toggle("catchUp");
    else this._beginCatchUp();
  }

  _beginCatchUp() {
    this._toggle(null);
    this.catching.begin();
  }

  _startAgain() {
    const next = encodeURIComponent(window.location.pathname + window.location.search);
    window.location.assign(`${this.asking.hub || "/hub/"}spawn?next=${next}`);
  }

  _toggle(name) {
    const before = this.open;
    this.open = name === before ? null : name;
    if (this.open === "help") this.help.refresh();
    this.parts.panel.dataset.shown = "";
    this.render();
    if (this.open === "help") this.help.focus();
    else if (this.open === "catchUp") this.parts.panel.querySelector("button:last-child")?.focus();
    else if (this.open) this.parts.panel.querySelector("button, a")?.focus();
    else if (before && this.parts[before]) this.parts[before].focus();
  }

  _renderPanel(messages) {
    const { panel } = this.parts;
    for (const name of ["messages", "help", "catchUp", "more"]) {
      this.parts[name].setAttribute("aria-expanded", String(this.open === name));
    }
    panel.hidden = !this.open;
    if (this.open === "help") {
      this.help._refreshWaiting();
      if (panel.firstChild !== this.help.node) panel.replaceChildren(this.help.node);
      return;
    }
    const links = this._links;
    refill(panel, [this.open, this.open === "messages" && messages, this.open === "more" && links], () => {
      if (this.open === "messages") return messagesPanel(messages);
      if (this.open === "more") return morePanel({ links, word: () => resumeWord(this.contents, this.panel.context.path) });
      if (this.open === "catchUp") return this._question();
      return [];
    });
  }

  get _links() {
    const links = this.asking.now && this.asking.now.links;
    return Array.isArray(links) ? links : [];
  }

  _question() {
    return [
      el("p", {}, this.catching.loss() || "Nothing is lost."),
      el(
        "p",
        { class: "buttons" },
        button("Restart and catch up", () => this._beginCatchUp(), { class: "button firstread-main" }),
        button("Leave it", () => this._toggle(null)),
      ),
    ];
  }

  // Read out what has changed, once; what stands there when the page opens is not news.
  _announce(name, words, makes) {
    const before = this._told[name];
    if (before === words) return;
    this._told[name] = words;
    const said = before === undefined && !words ? "" : makes(words, before);
    if (said) this._tell(said);
  }

  _tell(words) {
    this.parts.live.textContent = words;
  }

  _onKey(event) {
    if (event.key === "Escape" && this.open) {
      event.stopPropagation();
      this._toggle(null);
    }
  }
}

function strip(tone, words, buttons) {
  const text = el("p", {}, ...(Array.isArray(words) ? words : [words]));
  return el("div", { class: `strip firstread-${tone}` }, text, el("span", { class: "buttons" }, ...buttons));
}
