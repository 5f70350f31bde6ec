// The results as they come in. What the viewer has unfolded stays unfolded.
const results = document.getElementById("results");
const stream = new EventSource("results/stream");
stream.onmessage = (event) => {
  const unfolded = [...results.querySelectorAll("details")].map((one) => one.open);
  results.innerHTML = JSON.parse(event.data);
  results.querySelectorAll("details").forEach((one, place) => { one.open = Boolean(unfolded[place]); });
};
stream.onopen = () => document.body.classList.remove("cut-off");
stream.onerror = () => document.body.classList.add("cut-off");
