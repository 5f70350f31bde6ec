// Goes on as soon as the notebook is ready; asks again for as long as it takes, also when the class is away for a moment.
const words = document.getElementById("waiting");
const calm = words.textContent;
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
(async () => {
  for (let asked = 0; ; asked += 1) {
    await pause(asked < 20 ? 500 : 1500);
    try {
      const answer = await fetch(window.location.href, { redirect: "manual", cache: "no-store", headers: { Accept: "text/html" } });
      words.textContent = calm;
      const away = answer.status === 502 || answer.status === 503;
      if (answer.type === "opaqueredirect" || (!away && answer.status !== 200)) return window.location.reload();
    } catch {
      words.textContent = "The connection is lost. Trying again …";
    }
  }
})();
