// Live updates of the dashboard and the projector view. Only changed elements are touched, so that focus, open lists
// and half-typed text stay.
"use strict";
const view = document.body.dataset.view;
const connectionBanner = document.getElementById("cut-off");
const toast = document.getElementById("toast");
const matrix = document.getElementById("matrix");
const SILENCE_MS = 15000;
let stream, lastEventAt, isConnected = true;

function connect() {
  if (stream) stream.close();
  lastEventAt = Date.now();
  stream = new EventSource(`stream?view=${view}`);
  stream.onmessage = (event) => { onAlive(); applyUpdate(JSON.parse(event.data)); };
  stream.addEventListener("alive", onAlive);
  stream.onerror = onConnectionLost;
}

function onAlive() {
  lastEventAt = Date.now();
  if (!isConnected) showToast("Connected again.");
  isConnected = true;
  connectionBanner.hidden = true;
}

async function onConnectionLost() {
  const before = isConnected;
  isConnected = false;
  let text = "Cut off from the class: what stands here is old. Trying again by itself; what you typed stays.";
  const answer = await fetch("session").catch(() => null);
  if (isConnected) return;
  if (answer && answer.status === 401) text = "Logged out here. Log in again in another tab; what you typed stays.";
  if (before || connectionBanner.textContent !== text) connectionBanner.textContent = text;
  connectionBanner.hidden = false;
}

setInterval(() => {
  const isSilent = Date.now() - lastEventAt > SILENCE_MS;
  if (isSilent) onConnectionLost();
  if (isSilent || stream.readyState === EventSource.CLOSED) connect();
}, 2500);

function applyUpdate(update) {
  const active = document.activeElement, card = active && active.closest("[data-key^='help-']");
  const before = Number(document.getElementById("counts")?.dataset.help || 0);
  if (update.whole) update.gone = [...document.querySelectorAll("#rows > tr")].map((row) => row.id).filter((id) => !(id in update.parts));
  for (const [name, html] of Object.entries(update.parts)) {
    const fresh = parseElement(html), old = document.getElementById(name);
    if (old) morph(old, fresh);
    else if (name.startsWith("row-")) document.getElementById("rows").append(fresh);
  }
  for (const name of update.gone) document.getElementById(name)?.remove();
  if (matrix) sortRows();
  if (active && active !== document.body && document.activeElement !== active) restoreFocus(active, card);
  const asking = Number(document.getElementById("counts")?.dataset.help || 0);
  if (asking > before) showToast(`${asking} ${asking === 1 ? "asks" : "ask"} for help.`);
  document.title = document.title.replace(/^\(\d+\) /, "").replace(/^/, asking ? `(${asking}) ` : "");
}

function restoreFocus(active, card) {
  if (active.isConnected) active.focus({ preventScroll: true });
  else if (card?.isConnected) (card.querySelector("input:not([type=hidden])") || card.querySelector("button"))?.focus();
  else if (card) document.getElementById("help").focus();
}

function parseElement(html) {
  const template = document.createElement("template");
  template.innerHTML = html.trim();
  return template.content.firstElementChild;
}

// Morph an element into a freshly rendered one; what is open stays open, and a field with typed text is never removed.
function morph(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  for (const { name } of [...old.attributes]) if (name !== "open" && !fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (name !== "open" && old.getAttribute(name) !== value) old.setAttribute(name, value);
  const keys = new Set([...fresh.children].map(key).filter(Boolean));
  for (const child of [...old.children]) if (key(child) && !keys.has(key(child))) removeUnlessTyped(child);
  let here = old.firstChild;
  for (const next of [...fresh.childNodes]) {
    while (here && here.nodeType === 1 && here.dataset.gone) here = here.nextSibling;
    const named = key(next) && [...old.children].find((child) => key(child) === key(next));
    const match = named || (here && !key(here) && !key(next) && here.nodeName === next.nodeName ? here : null);
    if (!match) { old.insertBefore(next, here); continue; }
    if (match === here) here = here.nextSibling;
    else old.insertBefore(match, here);
    if (match.nodeType === 1) morph(match, next);
    else if (match.nodeValue !== next.nodeValue) match.nodeValue = next.nodeValue;
  }
  while (here) { const next = here.nextSibling; if (!here.dataset?.gone) here.remove(); here = next; }
}

function key(node) { return node.nodeType === 1 ? node.dataset.key : undefined; }

function removeUnlessTyped(element) {
  const typed = [...element.querySelectorAll("input:not([type=hidden])")].some((field) => field.value !== field.defaultValue);
  if (!typed) element.remove();
  else element.dataset.gone = "no longer in the line; what you typed is still here";
}

// ---- filter and order of the participants

function sortRows() {
  const rows = document.getElementById("rows"), order = matrix.dataset.order;
  const number = (row) => Number(row.id.slice(4)), rank = (row) => (order === "stuck" ? Number(row.dataset.rank) : 0);
  const sorted = [...rows.children].sort((a, b) => rank(a) - rank(b) || number(a) - number(b));
  sorted.forEach((row, place) => { if (rows.children[place] !== row) rows.insertBefore(row, rows.children[place]); });
  document.querySelector(".nobody").textContent = sorted.length ? "" : "Nobody has joined yet.";
}

if (matrix?.dataset.show === "auto") {
  const shown = matchMedia("(max-width:48rem)").matches ? "needs" : "all";
  document.querySelector(`a[data-show=${shown}]`).setAttribute("aria-current", "true");
}
for (const what of matrix ? ["order", "show"] : []) {
  for (const link of document.querySelectorAll(`[data-${what}]:is(a)`)) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      matrix.dataset[what] = link.dataset[what];
      for (const other of link.parentElement.children) other.toggleAttribute("aria-current", false);
      link.setAttribute("aria-current", "true");
      history.replaceState(null, "", `?order=${matrix.dataset.order}&show=${matrix.dataset.show}`);
      sortRows();
    });
  }
}

// ---- forms are submitted without leaving the page

document.addEventListener("submit", async (event) => {
  const form = event.target, pressed = event.submitter;
  const address = pressed?.hasAttribute("formaction") ? pressed.formAction : form.action;
  if (!address.includes("/actions/")) return;
  event.preventDefault();
  const body = new URLSearchParams(new FormData(form));
  if (pressed?.name) body.append(pressed.name, pressed.value);
  const answer = await fetch(address, { method: "POST", body, headers: { "X-Requested-With": "fetch" } }).catch(() => null);
  if (!answer) return showToast("Not sent: the class cannot be reached. What you typed stays.");
  if (!answer.ok) return showToast(answer.status === 401 ? "Not sent: log in again in another tab." : `Not done. ${await answer.text()}`);
  for (const field of form.querySelectorAll("input:not([type=hidden])")) field.value = "";
  form.closest("details")?.removeAttribute("open");
  showToast(form.dataset.done || "Done.");
});

let toastTimer;
function showToast(text) {
  toast.textContent = text;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { toast.textContent = ""; }, 6000);
}

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input,select,textarea");
  if (event.key === "v" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) document.getElementById("other-view").click();
});

connect();
