// Sends one file to the site with progress. Used by uploads and by recordings.

// A refused file, with a sentence for the user and whether trying again may help.
export class Refusal extends Error {
  constructor(message, { code = "", again = true } = {}) {
    super(message);
    this.code = code;
    this.again = again;
  }
}

export function settings(id) {
  return JSON.parse(document.getElementById(id).textContent);
}

export function csrfToken() {
  return document.querySelector("input[name=csrfmiddlewaretoken]").value;
}

// Errors that can be detected before sending, in the server's words.
export function refusalOf(file, { maxBytes, text }) {
  if (file.size === 0) return new Refusal(text.empty, { code: "empty", again: false });
  if (file.size > maxBytes) return new Refusal(text.too_large, { code: "too_large", again: false });
  return null;
}

// Resolves to {id, url, duplicate, row}; rejects with a Refusal, or with an AbortError if `signal` is aborted.
export function send(file, { config, fields = {}, name = file.name, progress = () => {}, signal = null }) {
  const { url, text } = config;
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", url);
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("X-CSRFToken", csrfToken());
    request.responseType = "json";
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) progress(event.loaded / event.total);
    });
    request.upload.addEventListener("load", () => progress(1));
    request.addEventListener("load", () => {
      const answer = request.response;
      if (request.status < 300 && answer) return resolve(answer);
      if (answer?.error) {
        const again = ![413, 422].includes(request.status);
        return reject(new Refusal(answer.error.message, { code: answer.error.code, again }));
      }
      if (request.status === 403) return reject(new Refusal(text.stale));
      if (request.status === 413) return reject(new Refusal(text.too_large, { again: false }));
      return reject(new Refusal(text.failed));
    });
    request.addEventListener("error", () => reject(new Refusal(text.offline)));
    request.addEventListener("timeout", () => reject(new Refusal(text.offline)));
    request.addEventListener("abort", () => reject(new DOMException(text.stopped, "AbortError")));
    signal?.addEventListener("abort", () => request.abort());
    const form = new FormData();
    for (const [key, value] of Object.entries(fields)) form.append(key, value);
    form.append("file", file, name);
    request.send(form);
  });
}
