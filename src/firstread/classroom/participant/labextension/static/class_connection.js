// Connection of the participant's browser to their server and to the class: polls the status, sends help requests.

// until the class has said how often to poll
const POLL_MS = 5000;
const HIDDEN_POLL_MS = 15000;
const MAX_POLL_MS = 20000;
const REQUEST_TIMEOUT_MS = 10000;
// a stopped server is started, and an expired login renewed, not more often than this
const RECOVERY_INTERVAL_MS = 20000;

// Attributes:
//   server: "reachable", "unreachable" (no answer), "stopped" (the hub says that it does not run) or "logged-out" (it no longer knows us)
//   service: "reachable" or "unreachable"
//   status: latest status of the class, with `received`; null before
//   restarted: the server was started again, so none of its kernels is left; reset by the bar once it has said so
//   broadcasts: all of them, the oldest first
export class ClassConnection {
  constructor({ settings, request, hub }) {
    this.settings = settings;
    this.request = request;
    this.hub = hub;
    this.server = "reachable";
    this.service = "reachable";
    this.status = null;
    this.restarted = false;
    this.broadcasts = [];
    this._recoveredAt = { stopped: 0, "logged-out": 0 };
    this._listeners = new Set();
    this._failures = 0;
    this._timer = 0;
    this._polling = null;
  }

  start() {
    document.addEventListener("visibilitychange", () => !document.hidden && this.poll());
    window.addEventListener("online", () => this.poll());
    return this.poll();
  }

  // Call `listener` with {reconnected} after each response; returns a function that ends the subscription.
  subscribe(listener) {
    this._listeners.add(listener);
    return () => this._listeners.delete(listener);
  }

  // Poll now, or wait for the poll that is in flight. True if the server is reachable.
  poll() {
    this._polling = this._polling || this._poll().finally(() => (this._polling = null));
    return this._polling;
  }

  // Ask for help. Returns null, or an error message for the participant.
  async requestHelp(values) {
    return this._send("help", { method: "POST", body: JSON.stringify(values) });
  }

  async withdrawHelpRequest() {
    return this._send("help", { method: "DELETE" });
  }

  async _poll() {
    clearTimeout(this._timer);
    const last = this.broadcasts.length ? this.broadcasts[this.broadcasts.length - 1].id : 0;
    const answer = await this._fetch(`now?after=${last}`, {});
    this._failures = answer.ok ? 0 : this._failures + 1;
    this._timer = setTimeout(() => this.poll(), this._pollDelay());
    return this.server === "reachable";
  }

  _pollDelay() {
    const usual = this.status ? 1000 * this.status.again_seconds : POLL_MS;
    const base = document.hidden ? Math.max(HIDDEN_POLL_MS, usual) : usual;
    const limit = this.server === "unreachable" ? MAX_POLL_MS : POLL_MS;
    const backoff = Math.min(limit, base * 2 ** Math.min(this._failures, 6));
    return Math.max(base, this._failures ? backoff : base) * (0.8 + 0.4 * Math.random());
  }

  async _send(path, init) {
    const answer = await this._fetch(path, init);
    if (answer.ok) return null;
    return (answer.values && answer.values.message) || "Connection lost: this was not sent.";
  }

  async _fetch(path, init) {
    const url = `${this.settings.baseUrl}firstread/${path}`;
    const signal = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
    let code = 0;
    let values = null;
    try {
      const options = { ...init, signal, cache: "no-store", headers: { Accept: "application/json" } };
      const response = await this.request(url, options, this.settings);
      code = response.status;
      const isJson = (response.headers.get("content-type") || "").includes("json");
      values = isJson ? await response.json() : null;
    } catch {
      code = 0;
    }
    const ok = code === 200 && values !== null;
    this._update(code, ok, values);
    return { ok, values };
  }

  _update(code, ok, values) {
    const before = this.server;
    const refused = code === 401 || code === 403;
    // 404: a server outside a class, where the bar has nothing to show and nothing is wrong
    const answered = ok || code === 404 || (values !== null && code !== 424 && !refused);
    if (answered && (code < 500 || code === 503)) this.server = "reachable";
    else this.server = code === 424 ? "stopped" : refused ? "logged-out" : "unreachable";
    if (this.server === "reachable" && (ok || code === 503)) this.service = ok ? "reachable" : "unreachable";
    if (ok) this._store(values);
    if (this.server === "stopped") this.restarted = true;
    if (this.server === "stopped" || this.server === "logged-out") this._recover();
    const reconnected = before !== "reachable" && this.server === "reachable";
    for (const listener of this._listeners) listener({ reconnected });
  }

  // Only while the page is visible: a request to the hub with the participant's cookie starts their server; a hidden
  // frame logs in through the hub and comes back with a cookie that the server knows.
  _recover() {
    const reason = this.server;
    if (document.hidden || Date.now() - this._recoveredAt[reason] < RECOVERY_INTERVAL_MS) return;
    this._recoveredAt[reason] = Date.now();
    if (reason === "stopped") {
      const address = new URL(`${this.hub || "/hub/"}spawn`, location.href);
      const isOwnOrigin = address.origin === location.origin; // not where each server has a name of its own
      const options = isOwnOrigin
        ? { credentials: "same-origin", redirect: "manual" }
        : { credentials: "include", mode: "no-cors" };
      fetch(address, { ...options, cache: "no-store" }).catch(() => {});
      return;
    }
    const frame = document.createElement("iframe");
    frame.hidden = true;
    frame.title = "Coming back in";
    frame.addEventListener("load", () => {
      frame.remove();
      this.poll();
    });
    frame.src = `${this.settings.baseUrl}firstread/in`;
    document.body.append(frame);
  }

  _store(values) {
    const known = new Set(this.broadcasts.map((broadcast) => broadcast.id));
    this.broadcasts.push(...(values.broadcasts || []).filter((broadcast) => !known.has(broadcast.id)));
    this.broadcasts.sort((one, other) => one.id - other.id);
    this.status = { ...values, received: Date.now() };
  }
}
