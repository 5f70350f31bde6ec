// Which words of the instructor this browser has put away; they can be read again in the messages.

const MOST = 500;

export class Seen {
  constructor(base) {
    this._key = `firstread:seen:${base}`;
  }

  has(mark) {
    return this._marks().includes(mark);
  }

  add(mark) {
    try {
      localStorage.setItem(this._key, JSON.stringify([...this._marks(), mark].slice(-MOST)));
    } catch {
      this._kept = [...(this._kept || []), mark];
    }
  }

  _marks() {
    try {
      const marks = JSON.parse(localStorage.getItem(this._key) || "[]");
      return [...(Array.isArray(marks) ? marks : []), ...(this._kept || [])];
    } catch {
      return this._kept || [];
    }
  }
}

// What the instructor said to all, and what they answered, in the order of time.
export function messagesOf(asking) {
  const said = asking.said.map((one) => ({ mark: `said-${one.id}`, title: "To everyone", text: one.text, sent: one.sent }));
  const answers = ((asking.now && asking.now.answers) || []).map((one) => ({
    mark: `answer-${one.id}-${one.sent}`,
    title: "Answer to you",
    text: one.text,
    note: one.note,
    sent: one.sent,
  }));
  return [...said, ...answers].sort((one, other) => new Date(one.sent) - new Date(other.sent));
}
