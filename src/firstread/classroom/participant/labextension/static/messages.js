// Messages of the instructor: broadcasts and answers to help requests, and which of them this browser has closed.

const MAX_CLOSED = 500;
// an older message is no news to somebody who comes back; it stands in the list of messages
const MAX_NEWS_SECONDS = 600;

// Closed messages, in localStorage; they can be read again in the list of messages.
export class ClosedMessages {
  constructor(baseUrl) {
    this._storageKey = `firstread:seen:${baseUrl}`;
    this._ages = new Map(); // key -> age in seconds when this page first got the message
  }

  // True for a message that was new when this page got it and that nobody has closed.
  isUnread({ key, ageSeconds }) {
    if (!this._ages.has(key)) this._ages.set(key, ageSeconds);
    return this._ages.get(key) < MAX_NEWS_SECONDS && !this._keys().includes(key);
  }

  add(key) {
    try {
      localStorage.setItem(this._storageKey, JSON.stringify([...this._keys(), key].slice(-MAX_CLOSED)));
    } catch {
      this._unsaved = [...(this._unsaved || []), key];
    }
  }

  _keys() {
    try {
      const keys = JSON.parse(localStorage.getItem(this._storageKey) || "[]");
      return [...(Array.isArray(keys) ? keys : []), ...(this._unsaved || [])];
    } catch {
      return this._unsaved || [];
    }
  }
}

// Broadcasts and answers to this participant, the oldest first.
export function listMessages(connection) {
  const broadcasts = connection.broadcasts.map((one) => ({
    key: `said-${one.id}`,
    title: "To everyone",
    text: one.text,
    sent: one.sent,
    ageSeconds: one.age_seconds,
  }));
  const help = connection.status && connection.status.help;
  const answers = ((connection.status && connection.status.answers) || []).map((one) => ({
    key: `answer-${one.id}-${one.sent}`,
    title: "Answer to you",
    text: one.text,
    note: one.note,
    sent: one.sent,
    ageSeconds: help && help.state === "answered" && help.id === one.id ? 0 : one.age_seconds, // they still wait for it
  }));
  return [...broadcasts, ...answers].sort((one, other) => new Date(one.sent) - new Date(other.sent));
}
