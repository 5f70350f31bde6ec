// Live updates of the results page; unfolded details stay unfolded.
const results = document.getElementById("results");
const stream = new EventSource("results/stream");
stream.onmessage = (event) => {
  const isOpen = [...results.querySelectorAll("details")].map((details) => details.open);
  results.innerHTML = JSON.parse(event.data);
  results.querySelectorAll("details").forEach((details, index) => { details.open = Boolean(isOpen[index]); });
};
stream.onopen = () => document.body.classList.remove("cut-off");
stream.onerror = () => document.body.classList.add("cut-off");
