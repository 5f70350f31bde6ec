// Asks the participant's own server how the class stands, every few seconds, and knows who is away.

// as long as the class has not said how often
const EVERY_MS = 5000;
const HIDDEN_MS = 15000;
const LONGEST_MS = 20000;
const PATIENCE_MS = 10000;
// a server that has stopped is started again, and one that does not know us is told who we are, not more often than this
const MEND_EVERY_MS = 20000;

// Attributes:
//   server: "here", "away" (no answer), "stopped" (the hub says that it does not run) or "out" (it does not know us any more)
//   service: "here" or "away"
//   now: what the class last said, with `received`; null before
//   fresh: the server was started again, so that nothing of its kernels is left; set back by who says so
//   said: all broadcasts, the oldest first
export class Asking {
  constructor({ settings, request, hub }) {
    this.settings = settings;
    this.request = request;
    this.hub = hub;
    this.server = "here";
    this.service = "here";
    this.now = null;
    this.fresh = false;
    this.said = [];
    this._mended = { stopped: 0, out: 0 };
    this._listeners = new Set();
    this._failures = 0;
    this._timer = 0;
    this._looking = null;
  }

  begin() {
    document.addEventListener("visibilitychange", () => !document.hidden && this.look());
    window.addEventListener("online", () => this.look());
    return this.look();
  }

  changed(listener) {
    this._listeners.add(listener);
    return () => this._listeners.delete(listener);
  }

  // Ask now; who asks while an answer is on the way waits for that one. True if the server is here.
  look() {
    this._looking = this._looking || this._look().finally(() => (this._looking = null));
    return this._looking;
  }

  // Ask for help. Gives null, or what to say to the participant.
  async askHelp(values) {
    return this._do("help", { method: "POST", body: JSON.stringify(values) });
  }

  async withdrawHelp() {
    return this._do("help", { method: "DELETE" });
  }

  async _look() {
    clearTimeout(this._timer);
    const last = this.said.length ? this.said[this.said.length - 1].id : 0;
    const answer = await this._ask(`now?after=${last}`, {});
    this._failures = answer.ok ? 0 : this._failures + 1;
    this._timer = setTimeout(() => this.look(), this._pause());
    return this.server === "here";
  }

  _pause() {
    const usual = this.now ? 1000 * this.now.again_seconds : EVERY_MS;
    const calm = document.hidden ? Math.max(HIDDEN_MS, usual) : usual;
    const longer = Math.min(this.server === "away" ? LONGEST_MS : EVERY_MS, calm * 2 ** Math.min(this._failures, 6));
    return Math.max(calm, this._failures ? longer : calm) * (0.8 + 0.4 * Math.random());
  }

  async _do(path, init) {
    const answer = await this._ask(path, init);
    if (answer.ok) return null;
    return (answer.values && answer.values.message) || "Connection lost: this was not sent.";
  }

  async _ask(path, init) {
    const url = `${this.settings.baseUrl}firstread/${path}`;
    const signal = AbortSignal.timeout(PATIENCE_MS);
    let status = 0;
    let values = null;
    try {
      const response = await this.request(url, { ...init, signal, cache: "no-store", headers: { Accept: "application/json" } }, this.settings);
      status = response.status;
      const json = (response.headers.get("content-type") || "").includes("json");
      values = json ? await response.json() : null;
    } catch {
      status = 0;
    }
    const ok = status === 200 && values !== null;
    this._learn(status, ok, values);
    return { ok, values };
  }

  _learn(status, ok, values) {
    const before = this.server;
    const refused = status === 401 || status === 403;
    // 404: a server outside a class; the bar has nothing to tell there, and nothing is wrong
    const answered = ok || status === 404 || (values !== null && status !== 424 && !refused);
    if (answered && (status < 500 || status === 503)) this.server = "here";
    else this.server = status === 424 ? "stopped" : refused ? "out" : "away";
    if (this.server === "here" && (ok || status === 503)) this.service = ok ? "here" : "away";
    if (ok) this._keep(values);
    if (this.server === "stopped") this.fresh = true;
    if (this.server === "stopped" || this.server === "out") this._mend();
    const back = before !== "here" && this.server === "here";
    for (const listener of this._listeners) listener({ back });
  }

  // Only for somebody who looks at the page: the hub starts the server of who asks with their cookie; and a page in a
  // frame that nobody sees goes by way of the hub to the server and comes back with a cookie that it knows.
  _mend() {
    const what = this.server;
    if (document.hidden || Date.now() - this._mended[what] < MEND_EVERY_MS) return;
    this._mended[what] = Date.now();
    if (what === "stopped") {
      const asked = { credentials: "same-origin", redirect: "manual", cache: "no-store" };
      fetch(`${this.hub || "/hub/"}spawn`, asked).catch(() => {});
      return;
    }
    const frame = document.createElement("iframe");
    frame.hidden = true;
    frame.title = "Coming back in";
    frame.addEventListener("load", () => {
      frame.remove();
      this.look();
    });
    frame.src = `${this.settings.baseUrl}firstread/in`;
    document.body.append(frame);
  }

  _keep(values) {
    const known = new Set(this.said.map((one) => one.id));
    this.said.push(...(values.broadcasts || []).filter((one) => !known.has(one.id)));
    this.said.sort((one, other) => one.id - other.id);
    this.now = { ...values, received: Date.now() };
  }
}
