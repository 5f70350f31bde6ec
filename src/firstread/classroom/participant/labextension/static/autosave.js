// Autosave: the notebook is saved soon after each change, and unsaved text is kept as a draft in the browser.

const SAVE_DELAY_MS = 4000;
const MAX_SAVE_DELAY_MS = 20000;
const DRAFT_DELAY_MS = 800;

export class Autosave {
  constructor(panel, connection) {
    this.panel = panel;
    this.connection = connection;
    this.draft = this._readDraft();
    this._isSaving = false;
    this._dirtySince = 0;
    this._timers = { save: 0, draft: 0 };
    this._onChange = () => this._onContentChanged();
    this._onState = (_, change) => change.name === "dirty" && !change.newValue && this._onSaved();
    this._onVisibility = () => document.hidden && this._onLeave();
    this._onPageHide = () => this._onLeave();
    panel.context.model.contentChanged.connect(this._onChange);
    panel.context.model.stateChanged.connect(this._onState);
    document.addEventListener("visibilitychange", this._onVisibility);
    window.addEventListener("pagehide", this._onPageHide);
    this._unsubscribe = connection.subscribe(({ reconnected }) => reconnected && this._onReconnected());
    if (this.draft && !this._differs(this.draft)) this.discardDraft();
  }

  dispose() {
    this._unsubscribe();
    clearTimeout(this._timers.save);
    clearTimeout(this._timers.draft);
    document.removeEventListener("visibilitychange", this._onVisibility);
    window.removeEventListener("pagehide", this._onPageHide);
  }

  // Put the text of the draft back into the notebook.
  restoreDraft() {
    const shared = this.panel.content.model.sharedModel;
    const cells = (this.draft || { cells: [] }).cells;
    cells.forEach(({ id, type, source }, index) => {
      const existing = shared.cells.find((cell) => cell.id === id);
      if (existing) {
        if (existing.getSource() !== source) existing.setSource(source);
      } else {
        shared.insertCell(Math.min(index, shared.cells.length), { id, cell_type: type, source, metadata: {} });
      }
    });
    this.discardDraft();
  }

  discardDraft() {
    this.draft = null;
    try {
      localStorage.removeItem(this._storageKey);
    } catch {
      // a browser without storage
    }
  }

  async save() {
    const { context } = this.panel;
    const model = context.model;
    if (this._isSaving || this.panel.isDisposed || !context.isReady || !model.dirty || model.readOnly) return;
    if (this.connection.server !== "reachable") return; // it is saved as soon as the server is back
    this._isSaving = true;
    try {
      // a failing save shows a dialog, so it is tried only with a server that has just answered
      if (await this.connection.poll()) await context.save();
    } catch (error) {
      console.warn("firstread: the notebook could not be saved yet", error);
    } finally {
      this._isSaving = false;
    }
    if (!this.panel.isDisposed && model.dirty) this._scheduleSave();
  }

  get _storageKey() {
    return `firstread:draft:${this.connection.settings.baseUrl}:${this.panel.context.path}`;
  }

  // The model signals a change before it is marked as dirty, so the timers check again.
  _onContentChanged() {
    this._dirtySince = this._dirtySince || Date.now();
    this._scheduleSave();
    clearTimeout(this._timers.draft);
    this._timers.draft = setTimeout(() => this._writeDraft(), DRAFT_DELAY_MS);
  }

  _scheduleSave() {
    const left = Math.max(0, MAX_SAVE_DELAY_MS - (Date.now() - (this._dirtySince || Date.now())));
    clearTimeout(this._timers.save);
    this._timers.save = setTimeout(() => this.save(), Math.max(1000, Math.min(SAVE_DELAY_MS, left)));
  }

  _onSaved() {
    this._dirtySince = 0;
    clearTimeout(this._timers.draft);
    this.draft || this.discardDraft();
  }

  _onLeave() {
    if (this.panel.isDisposed || !this.panel.context.model.dirty) return;
    this._writeDraft();
    this.save();
  }

  _onReconnected() {
    const kernel = this.panel.sessionContext.session && this.panel.sessionContext.session.kernel;
    if (kernel && kernel.connectionStatus !== "connected") kernel.reconnect().catch(() => {});
    this.save();
  }

  _currentCells() {
    const cells = Array.from(this.panel.context.model.cells);
    return cells.map((cell) => ({ id: cell.id, type: cell.type, source: cell.sharedModel.getSource() }));
  }

  _differs(draft) {
    const current = new Map(this._currentCells().map((cell) => [cell.id, cell.source]));
    const differs = (cell) => (current.has(cell.id) ? current.get(cell.id) !== cell.source : cell.source.trim() !== "");
    return draft.cells.some(differs);
  }

  _writeDraft() {
    if (this.panel.isDisposed || !this.panel.context.model.dirty || this.draft) return;
    try {
      localStorage.setItem(this._storageKey, JSON.stringify({ at: Date.now(), cells: this._currentCells() }));
    } catch {
      // storage is full or missing: the notebook itself is still there
    }
  }

  _readDraft() {
    try {
      const draft = JSON.parse(localStorage.getItem(this._storageKey));
      const isComplete = draft && Array.isArray(draft.cells) && draft.cells.every((cell) => typeof cell.source === "string");
      return isComplete ? draft : null;
    } catch {
      return null;
    }
  }
}
