// Requests of the forum to the participant's own server, which passes them on to the class.

// reading a posted picture takes the class a moment
const REQUEST_TIMEOUT_MS = 45000;

export class ForumClient {
  constructor({ settings, request }) {
    this.settings = settings;
    this.request = request;
    this._base = `${settings.baseUrl}firstread/forum`;
  }

  // Each gives {values} with the forum as this participant sees it, or {error}, a sentence.
  load() {
    return this._send("", {});
  }

  post(values) {
    return this._send("", { method: "POST", body: JSON.stringify(values) });
  }

  withdraw(id) {
    return this._send(`/${id}`, { method: "DELETE" });
  }

  // `size` is "pictures" or "previews".
  pictureUrl(size, name) {
    return `${this._base}/${size}/${encodeURIComponent(name)}`;
  }

  async _send(path, init) {
    try {
      const signal = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
      const options = { ...init, signal, cache: "no-store", headers: { Accept: "application/json" } };
      const response = await this.request(this._base + path, options, this.settings);
      const values = await response.json();
      if (response.status === 200) return { values };
      return { error: values.message || "The class did not take this." };
    } catch {
      return { error: "Connection lost: this was not sent." };
    }
  }
}
