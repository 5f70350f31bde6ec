// Nothing typed is lost: the notebook is saved soon after every change, and what could not be saved yet lies in the browser.

const QUIET_MS = 4000;
const LONGEST_MS = 20000;
const DRAFT_MS = 800;

export class Keeping {
  constructor(panel, asking) {
    this.panel = panel;
    this.asking = asking;
    this.draft = this._read();
    this._saving = false;
    this._dirtySince = 0;
    this._timers = { save: 0, draft: 0 };
    this._onChange = () => this._changed();
    this._onState = (_, change) => change.name === "dirty" && !change.newValue && this._saved();
    this._onHide = () => document.hidden && this._leaving();
    this._onLeave = () => this._leaving();
    panel.context.model.contentChanged.connect(this._onChange);
    panel.context.model.stateChanged.connect(this._onState);
    document.addEventListener("visibilitychange", this._onHide);
    window.addEventListener("pagehide", this._onLeave);
    this._forget = asking.changed(({ back }) => back && this._back());
    if (this.draft && !this._differs(this.draft)) this.forgetDraft();
  }

  leave() {
    this._forget();
    clearTimeout(this._timers.save);
    clearTimeout(this._timers.draft);
    document.removeEventListener("visibilitychange", this._onHide);
    window.removeEventListener("pagehide", this._onLeave);
  }

  // Put back what was typed before and could not be saved.
  putBack() {
    const shared = this.panel.content.model.sharedModel;
    const cells = (this.draft || { cells: [] }).cells;
    cells.forEach(({ id, type, source }, index) => {
      const there = shared.cells.find((cell) => cell.id === id);
      if (there) {
        if (there.getSource() !== source) there.setSource(source);
      } else {
        shared.insertCell(Math.min(index, shared.cells.length), { id, cell_type: type, source, metadata: {} });
      }
    });
    this.forgetDraft();
  }

  forgetDraft() {
    this.draft = null;
    try {
      localStorage.removeItem(this._key);
    } catch {
      // a browser that keeps nothing
    }
  }

  async save() {
    const { context } = this.panel;
    const model = context.model;
    if (this._saving || this.panel.isDisposed || !context.isReady || !model.dirty || model.readOnly) return;
    if (this.asking.server !== "here") return; // it is saved as soon as the server is back
    this._saving = true;
    try {
      // saving shows a dialog when it fails, so it is tried only with a server that has just answered
      if (await this.asking.look()) await context.save();
    } catch (error) {
      console.warn("firstread: the notebook could not be saved yet", error);
    } finally {
      this._saving = false;
    }
    if (!this.panel.isDisposed && model.dirty) this._soon();
  }

  get _key() {
    return `firstread:draft:${this.asking.settings.baseUrl}:${this.panel.context.path}`;
  }

  // The model says that it changed before it says that it is not saved: the timers look again.
  _changed() {
    this._dirtySince = this._dirtySince || Date.now();
    this._soon();
    clearTimeout(this._timers.draft);
    this._timers.draft = setTimeout(() => this._write(), DRAFT_MS);
  }

  _soon() {
    const left = Math.max(0, LONGEST_MS - (Date.now() - (this._dirtySince || Date.now())));
    clearTimeout(this._timers.save);
    this._timers.save = setTimeout(() => this.save(), Math.max(1000, Math.min(QUIET_MS, left)));
  }

  _saved() {
    this._dirtySince = 0;
    clearTimeout(this._timers.draft);
    this.draft || this.forgetDraft();
  }

  _leaving() {
    if (this.panel.isDisposed || !this.panel.context.model.dirty) return;
    this._write();
    this.save();
  }

  _back() {
    const kernel = this.panel.sessionContext.session && this.panel.sessionContext.session.kernel;
    if (kernel && kernel.connectionStatus !== "connected") kernel.reconnect().catch(() => {});
    this.save();
  }

  _now() {
    const cells = Array.from(this.panel.context.model.cells);
    return cells.map((cell) => ({ id: cell.id, type: cell.type, source: cell.sharedModel.getSource() }));
  }

  _differs(draft) {
    const now = new Map(this._now().map((cell) => [cell.id, cell.source]));
    return draft.cells.some((cell) => (now.has(cell.id) ? now.get(cell.id) !== cell.source : cell.source.trim() !== ""));
  }

  _write() {
    if (this.panel.isDisposed || !this.panel.context.model.dirty || this.draft) return;
    try {
      localStorage.setItem(this._key, JSON.stringify({ at: Date.now(), cells: this._now() }));
    } catch {
      // no room, or a browser that keeps nothing: the notebook itself is still there
    }
  }

  _read() {
    try {
      const draft = JSON.parse(localStorage.getItem(this._key));
      const whole = draft && Array.isArray(draft.cells) && draft.cells.every((cell) => typeof cell.source === "string");
      return whole ? draft : null;
    } catch {
      return null;
    }
  }
}
