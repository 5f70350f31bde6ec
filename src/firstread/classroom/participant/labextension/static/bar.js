// The class bar above one notebook.
import { button, el, newId, renderIfChanged, setLabel } from "./dom.js";
import { ForumPanel } from "./forum.js";
import { HelpForm } from "./help_request.js";
import { ClosedMessages, listMessages } from "./messages.js";
import { linksList, messagesPanel, morePanel, restartPanel } from "./panels.js";
import { RestartAndRun } from "./restart_and_run.js";
import { readResumeWord } from "./resume_word.js";
import { calledStep, connectionProblem, helpStatus, shortHelpStatus, stepStatus, timeLeft } from "./status_line.js";
import { goToStep } from "./steps.js";
import { draftStrip, messageStrip, problemStrip, progressStrip } from "./strips.js";

const RENDER_INTERVAL_MS = 10000;
// the latest messages that are not closed; all are in the list of messages
const MAX_MESSAGE_STRIPS = 2;

export class Bar {
  constructor(panel, { connection, contents, actions, autosave, Widget }) {
    Object.assign(this, { panel, connection, contents, autosave });
    this.notebook = panel.content;
    this.closedMessages = new ClosedMessages(connection.settings.baseUrl);
    this.openPanel = null;
    this.progress = null;
    this._announced = {};
    this._build(Widget);
    this.helpForm = new HelpForm({
      connection,
      notebook: this.notebook,
      onClose: () => this._toggle(null),
      announce: (text) => this._announceText(text),
    });
    this.forum = new ForumPanel({
      connection,
      notebook: this.notebook,
      announce: (text) => this._announceText(text),
    });
    this.restart = new RestartAndRun(panel, actions, (progress) => this._onProgress(progress));
    this._renderTimer = 0;
    const renderSoon = () => {
      clearTimeout(this._renderTimer);
      this._renderTimer = setTimeout(() => this.render(), 250);
    };
    this.notebook.activeCellChanged.connect(renderSoon);
    this.notebook.model.contentChanged.connect(renderSoon);
    this._unsubscribe = connection.subscribe(({ reconnected }) => {
      if (reconnected && connection.restarted) this._onServerRestarted();
      this.render();
    });
    this._renderInterval = setInterval(() => this.render(), RENDER_INTERVAL_MS);
    this.render();
  }

  dispose() {
    this._unsubscribe();
    clearInterval(this._renderInterval);
    clearTimeout(this._renderTimer);
    this._resizeObserver.disconnect();
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
      forum: button("Forum", () => this._toggle("forum"), opens),
      help: button("I need help", () => this._toggle("help"), { ...opens, class: "button firstread-main" }),
      restart: button("Restart and catch up", () => this._onRestartClicked(), opens),
      more: button("More", () => this._toggle("more"), opens),
      strips: el("div", { class: "news" }),
      panel: el("div", { class: "panel", id: panelId, hidden: true }),
      live: el("div", { class: "live", role: "status", "aria-live": "polite" }),
    };
    const { place, time, called, links, messages, forum, help, restart, more, strips, panel, live } = this.parts;
    const inner = el(
      "div",
      { class: "inner", on: { keydown: (event) => this._onKey(event) } },
      el(
        "div",
        { class: "line" },
        el("span", { class: "where" }, place, time, called, links),
        el("span", { class: "tools" }, messages, forum, help, restart, more),
      ),
      panel,
      strips,
      live,
    );
    const outer = el("section", { class: "bar", "aria-label": "The class" }, inner);
    this.widget = new Widget({ node: outer });
    // JupyterLab's layout needs a height, and the bar's height follows from its width
    this._resizeObserver = new ResizeObserver(() => {
      const height = `${Math.ceil(inner.getBoundingClientRect().height)}px`;
      if (outer.style.minHeight === height) return;
      outer.style.minHeight = height;
      if (this.widget.parent) this.widget.parent.fit();
    });
    this._resizeObserver.observe(inner);
  }

  render() {
    if (this.panel.isDisposed || !this.notebook.model) return;
    const { status } = this.connection;
    const { parts } = this;
    const step = stepStatus(this.notebook, status);
    renderIfChanged(parts.place, step, () =>
      step ? [el("b", {}, step.place), el("span", { class: "title", title: step.title }, step.title)] : [],
    );
    const time = timeLeft(status);
    renderIfChanged(parts.time, time, () => [time]);
    this._renderCalledStep(calledStep(this.notebook, status));
    const urgent = this._links.filter((link) => link.now === true);
    renderIfChanged(parts.links, urgent, () => [linksList(urgent)]);
    const messages = listMessages(this.connection);
    parts.messages.hidden = !messages.length;
    setLabel(parts.messages, `Messages (${messages.length})`);
    this.forum.update(this.openPanel === "forum");
    parts.forum.hidden = !this.forum.isOffered;
    parts.forum.textContent = this.forum.label;
    const help = helpStatus(status);
    setLabel(parts.help, help || "I need help", shortHelpStatus(status) || "I need help");
    parts.help.classList.toggle("firstread-waiting", Boolean(help));
    if (this._links.length) setLabel(parts.more, "More");
    else setLabel(parts.more, "My resume word", "My word");
    setLabel(parts.restart, "Restart and catch up", "Catch up");
    parts.restart.disabled = this.restart.isRunning;
    this._announceChange("help", help, (text, before) =>
      text || (before ? "You are no longer in the line for help." : ""),
    );
    const problem = connectionProblem(this.connection);
    this._announceChange("problem", problem ? problem.text : "", (text, before) =>
      text || (before ? "Connected again." : ""),
    );
    this._renderStrips(messages); // an answer is announced last, in place of the end of the waiting
    this._renderPanel(messages);
  }

  _renderCalledStep(called) {
    renderIfChanged(this.parts.called, called, () => {
      if (!called) return [];
      const go = button("Go there", () => goToStep(this.notebook, called.id), { title: called.title });
      return [el("b", {}, called.isHere ? called.text : `${called.text}.`), called.isHere ? "" : go];
    });
    this._announceChange("called", called ? `${called.text}, ${called.title}` : "", (text) => text);
  }

  _renderStrips(messages) {
    const problem = connectionProblem(this.connection);
    const unread = messages.filter((one) => this.closedMessages.isUnread(one)).slice(-MAX_MESSAGE_STRIPS);
    if (this.openPanel === "messages") unread.splice(0).forEach((one) => this.closedMessages.add(one.key));
    const draft = this.autosave.draft;
    const values = [problem, draft && draft.at, this.progress, unread.map((one) => one.key)];
    renderIfChanged(this.parts.strips, values, () => [
      problem ? problemStrip(problem, () => this._onProblemAction()) : "",
      draft ? this._draftStrip(draft) : "",
      this.progress ? this._progressStrip(this.progress) : "",
      ...unread.map((message) => this._messageStrip(message)),
    ]);
    const last = unread[unread.length - 1];
    this._announceChange("message", last ? `${last.title}: ${last.text}` : "", (text) => text);
  }

  _draftStrip(draft) {
    const andRender = (action) => () => {
      action();
      this.render();
    };
    return draftStrip(draft, {
      onRestore: andRender(() => this.autosave.restoreDraft()),
      onDiscard: andRender(() => this.autosave.discardDraft()),
    });
  }

  _progressStrip(progress) {
    const onClose = () => {
      this.progress = null;
      this.render();
    };
    return progressStrip(progress, this.notebook, { onStop: () => this.restart.stop(), onClose });
  }

  _messageStrip(message) {
    const onRead = () => this._toggle("messages");
    return messageStrip(message, { onRead, onClose: () => this._closeMessage(message) });
  }

  _closeMessage(message) {
    this.closedMessages.add(message.key);
    this.render();
    this.parts.messages.focus();
  }

  _onProblemAction() {
    if (this.connection.server !== "stopped") {
      window.location.reload();
      return;
    }
    const next = encodeURIComponent(window.location.pathname + window.location.search);
    window.location.assign(`${this.connection.hub || "/hub/"}spawn?next=${next}`);
  }

  // Say that the kernel has computed nothing yet, although the notebook shows results.
  announceNewKernel() {
    this.progress = { state: "server-restarted" };
    this._announceText("Your notebook was started again.");
    this.render();
  }

  async _onServerRestarted() {
    setTimeout(() => (this.connection.restarted = false));
    this.announceNewKernel();
    await this.restart.replaceKernel().catch(() => {});
  }

  _onProgress(progress) {
    this.progress = progress;
    const texts = {
      restarting: "Restarting the kernel",
      stopped: "Stopped",
      done: "Caught up",
      failed: `Stopped at an error. ${progress.error}`,
    };
    if (texts[progress.state]) this._announceText(texts[progress.state]);
    this.render();
    // the button is enabled again once everything has ended
    if (!["restarting", "running"].includes(progress.state)) setTimeout(() => this.render(), 50);
  }

  _onRestartClicked() {
    if (this.restart.lossWarning()) this._toggle("restart");
    else this._startRestart();
  }

  _startRestart() {
    this._toggle(null);
    this.restart.run();
  }

  // Open a panel by name, or close the one that is open.
  _toggle(name) {
    const before = this.openPanel;
    this.openPanel = name === before ? null : name;
    if (this.openPanel === "help") this.helpForm.refresh();
    this.parts.panel.dataset.shown = "";
    this.render();
    if (this.openPanel === "help") this.helpForm.focus();
    else if (this.openPanel === "forum") this.forum.focus();
    else if (this.openPanel === "restart") this.parts.panel.querySelector("button:last-child")?.focus();
    else if (this.openPanel) this.parts.panel.querySelector("button, a")?.focus();
    else if (before && this.parts[before]) this.parts[before].focus();
  }

  _renderPanel(messages) {
    const { panel } = this.parts;
    for (const name of ["messages", "forum", "help", "restart", "more"]) {
      this.parts[name].setAttribute("aria-expanded", String(this.openPanel === name));
    }
    panel.hidden = !this.openPanel;
    if (this.openPanel === "help") this.helpForm.refreshWaiting();
    const kept = { help: this.helpForm, forum: this.forum }[this.openPanel];
    if (kept) {
      if (panel.firstChild !== kept.node) {
        if (kept === this.helpForm) kept.refresh();
        panel.replaceChildren(kept.node);
      }
      return;
    }
    const links = this._links;
    const keys = messages.map((one) => one.key);
    const values = [this.openPanel, this.openPanel === "messages" && keys, this.openPanel === "more" && links];
    renderIfChanged(panel, values, () => {
      if (this.openPanel === "messages") return messagesPanel(messages);
      if (this.openPanel === "more") {
        return morePanel({ links, readWord: () => readResumeWord(this.contents, this.panel.context.path) });
      }
      if (this.openPanel === "restart") {
        const actions = { onRestart: () => this._startRestart(), onCancel: () => this._toggle(null) };
        return restartPanel(this.restart.lossWarning(), actions);
      }
      return [];
    });
  }

  get _links() {
    const links = this.connection.status && this.connection.status.links;
    return Array.isArray(links) ? links : [];
  }

  // Announce a changed text to screen readers, once; what is shown when the page opens is not announced.
  _announceChange(name, text, makeText) {
    const before = this._announced[name];
    if (before === text) return;
    this._announced[name] = text;
    const announcement = before === undefined && !text ? "" : makeText(text, before);
    if (announcement) this._announceText(announcement);
  }

  _announceText(text) {
    this.parts.live.textContent = text;
  }

  _onKey(event) {
    if (event.key === "Escape" && this.openPanel) {
      event.stopPropagation();
      this._toggle(null);
    }
  }
}
