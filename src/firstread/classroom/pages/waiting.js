// Poll until the notebook server is ready, then load it; also while the class does not answer for a moment.
const message = document.getElementById("waiting");
const waitingText = message.textContent;
const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
(async () => {
  for (let polls = 0; ; polls += 1) {
    await sleep(polls < 20 ? 500 : 1500);
    try {
      const options = { redirect: "manual", cache: "no-store", headers: { Accept: "text/html" } };
      const response = await fetch(window.location.href, options);
      message.textContent = waitingText;
      const unavailable = response.status === 502 || response.status === 503;
      if (response.type === "opaqueredirect" || (!unavailable && response.status !== 200)) return window.location.reload();
    } catch {
      message.textContent = "The connection is lost. Trying again …";
    }
  }
})();
