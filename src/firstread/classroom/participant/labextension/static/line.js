// The words on the line: where the participant is, how much time the plan leaves, and where the instructor calls.
import { stepAt, stepsOf } from "./steps.js";

// {place, title}: "Step 5 of 13", "Train the last layers"; null in a notebook without steps.
export function placeOf(notebook, now) {
  const steps = stepsOf(notebook);
  const known = now ? now.steps : steps.map((step) => ({ id: step.id, title: "" }));
  const here = stepAt(notebook);
  if (!steps.length) return null;
  if (!here) return { place: `${known.length} steps`, title: "" };
  const number = known.findIndex((step) => step.id === here.id);
  return number < 0 ? null : { place: `Step ${number + 1} of ${known.length}`, title: known[number].title };
}

// "31 min left", "paused, 31 min left", "the planned time is over", or "" while there is no plan.
export function timeOf(now) {
  if (!now || now.plan.minutes_left === null) return "";
  const gone = now.plan.state === "running" ? (Date.now() - now.received) / 60000 : 0;
  const left = now.plan.minutes_left - gone;
  if (now.plan.state === "over" || left <= 0) return "The planned time is over";
  const words = left < 1 ? "less than 1 min left" : `${Math.round(left)} min left`;
  return now.plan.state === "paused" ? `Paused, ${words}` : words;
}

// {id, words, here}: the step that the instructor called; null while everyone goes at their own pace.
export function calledOf(notebook, now) {
  const number = now && now.called ? now.steps.findIndex((step) => step.id === now.called) : -1;
  if (number < 0 || !stepsOf(notebook).some((step) => step.id === now.called)) return null;
  const at = stepAt(notebook);
  const here = Boolean(at && at.id === now.called);
  return { id: now.called, words: `Now: step ${number + 1}`, title: now.steps[number].title, here };
}

// What the button says while somebody waits; "" if they did not ask.
export function helpOf(now) {
  const help = now && now.help;
  if (!help) return "";
  return help.state === "taken" ? "Somebody is coming" : `Waiting, place ${help.place || 1} in line`;
}

// One sentence if the connection is not as it should be, with what can be done; null if all is well.
export function troubleOf(asking) {
  const away = {
    away: { words: "Connection lost. What you type is kept; trying again." },
    stopped: { words: "Your notebook is being started again. What you type is kept.", action: "Start it myself" },
    out: { words: "Coming back in. What you type is kept.", action: "Load this page again" },
  };
  if (asking.server !== "here") return away[asking.server];
  if (asking.service !== "here") return { words: "The class cannot be reached just now; your notebook works. Trying again." };
  return null;
}
