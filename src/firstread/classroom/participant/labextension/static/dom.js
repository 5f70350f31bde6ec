// DOM elements without markup: text that somebody typed is set as text, never parsed as HTML.

let count = 0;

// Create an element; `attributes` may hold `class` (without its prefix) and `on` (event listeners).
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") element.className = `firstread-${value}`;
    else if (name === "on") {
      Object.entries(value).forEach(([event, listener]) => element.addEventListener(event, listener));
    } else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

export function button(label, onClick, attributes = {}) {
  return el("button", { type: "button", class: "button", ...attributes, on: { click: onClick } }, label);
}

// Set a button's label, and a shorter one for a narrow bar; it is read out in full.
export function setLabel(target, label, short = label) {
  target.setAttribute("aria-label", label);
  renderIfChanged(target, [label, short], () =>
    label === short ? [label] : [el("span", { class: "long" }, label), el("span", { class: "short" }, short)],
  );
}

export function newId(name) {
  count += 1;
  return `firstread-${name}-${count}`;
}

// Replace the children of an element only if `values` changed, so that a button about to be pressed stays.
export function renderIfChanged(element, values, makeChildren) {
  const key = JSON.stringify(values);
  if (element.dataset.shown === key) return false;
  element.dataset.shown = key;
  element.replaceChildren(...makeChildren());
  return true;
}

export function formatTime(moment) {
  const time = new Date(moment);
  return Number.isNaN(time.getTime()) ? "" : time.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}

// URL for a link if its scheme is http or https, else null: no scheme that would run a script.
export function safeUrl(address) {
  try {
    const url = new URL(String(address), window.location.origin);
    return url.protocol === "http:" || url.protocol === "https:" ? url.href : null;
  } catch {
    return null;
  }
}
