// Replay of a session: the state of the class at a moment, from the page's own data; nothing is fetched.
const record = JSON.parse(document.getElementById("record").textContent);
const time = document.getElementById("time");
const play = document.getElementById("play");
const speed = document.getElementById("speed");
const list = document.getElementById("entries");
const buttons = [...list.querySelectorAll("button")];
const playheads = [...document.querySelectorAll(".lane .now")];
const PLAN_STATES = { begun: "running", resumed: "running", paused: "paused", ended: "ended" };
const FRAME_MS = 100;
let timer = null;
let lastTick = 0;
let exact = record.seconds;

// the same as SessionRecord.state_at
function stateAt(seconds) {
  const frame = Math.floor(Math.min(Math.max(seconds, 0), record.seconds) / record.frame_seconds);
  const state = { call: "", plan: "before", message: "" };
  let sent = -Infinity;
  for (const [at, kind, value] of record.states) {
    if (at > seconds) break;
    if (kind === "step") state.call = value;
    if (kind === "plan") {
      state.plan = PLAN_STATES[value];
      if (value === "ended") state.call = "";
    }
    if (kind === "message") [state.message, sent] = [value, at];
  }
  if (seconds - sent >= record.message_seconds) state.message = "";
  return { ...state, counts: record.frames[frame] || [], help: record.queue[frame] || null };
}

function clockText(seconds) {
  return `${Math.floor(seconds / 3600)}:${String(Math.floor(seconds / 60) % 60).padStart(2, "0")}`;
}

function wallClock(seconds) {
  const moment = new Date(Date.parse(record.began) + 1000 * seconds);
  return moment.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}

function setText(id, text) {
  const element = document.getElementById(id);
  if (element && element.textContent !== text) element.textContent = text;
}

function show(seconds, { spoken = false } = {}) {
  exact = Math.min(Math.max(seconds, 0), record.seconds);
  const state = stateAt(exact);
  time.value = String(Math.floor(exact));
  const text = `${clockText(exact)} of ${clockText(record.seconds)} · ${wallClock(exact)}`;
  time.setAttribute("aria-valuetext", text);
  setText("clock", text);
  setText("plan", state.plan);
  setText("call", state.call || "own pace");
  setText("message", state.message || "–");
  if (state.help) setText("help", `${state.help[0]} waiting, ${state.help[1]} taken`);
  for (const cell of document.querySelectorAll("[data-place]")) {
    const count = cell.dataset.place === "help" ? state.help[0] + state.help[1] : state.counts[Number(cell.dataset.place)];
    cell.textContent = String(count);
    cell.classList.toggle("none", count === 0);
  }
  for (const name of document.querySelectorAll(".rows .name")) {
    name.classList.toggle("called", state.call !== "" && name.title === state.call);
  }
  const x = `${(100 * exact) / record.seconds}%`;
  for (const line of playheads) {
    line.setAttribute("x1", x);
    line.setAttribute("x2", x);
  }
  markEntries(exact);
  if (spoken) setText("spoken", `${clockText(exact)}: ${state.call || "own pace"}`);
}

function markEntries(seconds) {
  let current = -1;
  buttons.forEach((button, index) => {
    const isPast = Number(button.dataset.seconds) <= seconds;
    button.parentElement.classList.toggle("future", !isPast);
    if (isPast) current = index;
  });
  buttons.forEach((button, index) => {
    const isCurrent = current >= 0 && button.dataset.seconds === buttons[current].dataset.seconds;
    button.parentElement.classList.toggle("current", isCurrent);
    if (index === current) button.setAttribute("aria-current", "time");
    else button.removeAttribute("aria-current");
  });
  // the list alone is scrolled, never the page, and not while somebody reads in it
  if (current >= 0 && list.scrollHeight > list.clientHeight && !list.matches(":hover")) {
    const item = buttons[current].parentElement;
    list.scrollTop = item.offsetTop - list.clientHeight / 2;
  }
}

function tick() {
  const now = performance.now();
  const next = exact + ((now - lastTick) / 1000) * Number(speed.value);
  lastTick = now;
  show(next);
  if (next >= record.seconds) pause();
}

function start() {
  if (exact >= record.seconds) show(0);
  lastTick = performance.now();
  timer = setInterval(tick, FRAME_MS);
  play.textContent = "Pause";
}

function pause() {
  clearInterval(timer);
  timer = null;
  play.textContent = "Play";
}

function jump(seconds) {
  show(seconds, { spoken: true });
}

function jumpToEntry(direction) {
  const times = [...new Set(buttons.map((button) => Number(button.dataset.seconds)))];
  const now = Math.floor(exact);
  const found = direction > 0 ? times.find((one) => one > now) : times.filter((one) => one < now).pop();
  if (found !== undefined) jump(found);
}

const KEYS = {
  " ": () => (timer === null ? start() : pause()),
  ArrowLeft: () => jump(exact - record.frame_seconds),
  ArrowRight: () => jump(exact + record.frame_seconds),
  Home: () => jump(0),
  End: () => jump(record.seconds),
  n: () => jumpToEntry(1),
  p: () => jumpToEntry(-1),
};

play.addEventListener("click", () => (timer === null ? start() : pause()));
time.addEventListener("input", () => show(Number(time.value)));
time.addEventListener("keydown", (event) => {
  // one minute and not one second, as the keys of the page
  if (event.key.startsWith("Arrow")) {
    event.preventDefault();
    jump(exact + (["ArrowLeft", "ArrowDown"].includes(event.key) ? -1 : 1) * record.frame_seconds);
  }
});
list.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) jump(Number(button.dataset.seconds));
});
document.getElementById("rows").addEventListener("click", (event) => {
  const lane = event.target.closest(".lane");
  if (!lane) return;
  const box = lane.getBoundingClientRect();
  jump((record.seconds * (event.clientX - box.left)) / box.width);
});
document.addEventListener("keydown", (event) => {
  const isControl = event.target.closest("button, input, select, a, ol");
  const isPlain = !event.ctrlKey && !event.metaKey && !event.altKey;
  if (!isPlain || !KEYS[event.key] || (isControl && !["n", "p"].includes(event.key))) return;
  event.preventDefault();
  KEYS[event.key]();
});
show(0);
