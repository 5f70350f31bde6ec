// Texts of the status line: current step, time left in the plan, called step, help request and connection.
import { currentStep, listSteps } from "./steps.js";

// {place, title}: "Step 5 of 13", "Train the last layers"; null in a notebook without steps.
export function stepStatus(notebook, status) {
  const steps = listSteps(notebook);
  const known = status ? status.steps : steps.map((step) => ({ id: step.id, title: "" }));
  const current = currentStep(notebook);
  if (!steps.length) return null;
  if (!current) return { place: `${known.length} steps`, title: "" };
  const index = known.findIndex((step) => step.id === current.id);
  return index < 0 ? null : { place: `Step ${index + 1} of ${known.length}`, title: known[index].title };
}

// "31 min left", "Paused, 31 min left", "The planned time is over", or "" while there is no plan.
export function timeLeft(status) {
  if (!status || status.plan.minutes_left === null) return "";
  const sinceReceived = status.plan.state === "running" ? (Date.now() - status.received) / 60000 : 0;
  const left = status.plan.minutes_left - sinceReceived;
  if (status.plan.state === "over" || left <= 0) return "The planned time is over";
  const text = left < 1 ? "less than 1 min left" : `${Math.round(left)} min left`;
  return status.plan.state === "paused" ? `Paused, ${text}` : text;
}

// {id, text, title, isHere}: the step that the instructor called; null while everyone goes at their own pace.
export function calledStep(notebook, status) {
  const index = status && status.called ? status.steps.findIndex((step) => step.id === status.called) : -1;
  if (index < 0 || !listSteps(notebook).some((step) => step.id === status.called)) return null;
  const current = currentStep(notebook);
  const isHere = Boolean(current && current.id === status.called);
  return { id: status.called, text: `Now: step ${index + 1}`, title: status.steps[index].title, isHere };
}

// State of the open help request, for the button; "" without one, and once it is answered: they may ask again.
export function helpStatus(status) {
  const help = status && status.help;
  if (!help || help.state === "answered") return "";
  return help.state === "taken" ? "Somebody is coming" : `Waiting, place ${help.place || 1} in line`;
}

// The same for a narrow bar.
export function shortHelpStatus(status) {
  return helpStatus(status).replace(/^Waiting, place/, "Place");
}

// {text, action}: problem of the connection and what can be done; null if there is none.
export function connectionProblem(connection) {
  const problems = {
    unreachable: { text: "Connection lost. What you type is kept; trying again." },
    stopped: { text: "Your notebook is being started again. What you type is kept.", action: "Start it myself" },
    "logged-out": { text: "Coming back in. What you type is kept.", action: "Load this page again" },
  };
  if (connection.server !== "reachable") return problems[connection.server];
  if (connection.service !== "reachable") {
    return { text: "The class cannot be reached just now; your notebook works. Trying again." };
  }
  return null;
}
