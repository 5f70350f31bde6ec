// Elements without markup: whatever somebody typed is set as text, never read as HTML.

let count = 0;

export function el(tag, given = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") made.className = `firstread-${value}`;
    else if (name === "on") Object.entries(value).forEach(([event, does]) => made.addEventListener(event, does));
    else made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

export function button(words, does, given = {}) {
  return el("button", { type: "button", class: "button", ...given, on: { click: does } }, words);
}

export function newId(name) {
  count += 1;
  return `firstread-${name}-${count}`;
}

// Fill a place anew only if what it shows has changed, so that nobody loses the button that they are about to press.
export function refill(place, shown, make) {
  const mark = JSON.stringify(shown);
  if (place.dataset.shown === mark) return false;
  place.dataset.shown = mark;
  place.replaceChildren(...make());
  return true;
}

export function clock(moment) {
  const time = new Date(moment);
  return Number.isNaN(time.getTime()) ? "" : time.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}

// An address that a link may lead to: of this site or of the web, and nothing that would run.
export function safeAddress(address) {
  try {
    const url = new URL(String(address), window.location.origin);
    return url.protocol === "http:" || url.protocol === "https:" ? url.href : null;
  } catch {
    return null;
  }
}
