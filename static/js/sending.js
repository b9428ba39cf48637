// Sends one file to the site with progress. Used by uploads and by recordings.

// While the site or its database starts again, which takes some seconds; then the person is asked.
const RETRIES = [1000, 2000, 5000, 10_000, 20_000, 30_000];
// Of a proxy whose site is away, and of the site whose database is.
const AWAY = [0, 502, 503, 504];

// A refused file, with a sentence for the user and whether trying again may help; `away` where it was not the file's fault.
export class Refusal extends Error {
  constructor(message, { code = "", again = true, away = false } = {}) {
    super(message);
    this.code = code;
    this.again = again;
    this.away = away;
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

// Resolves after so many milliseconds, or as soon as `signal` is aborted.
export function wait(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

// Resolves to {id, url, duplicate, row}; rejects with a Refusal, or with an AbortError if `signal` is aborted.
// What was taken before its answer was lost is found again by its content. `interrupted()` is called before each wait.
export async function send(file, { interrupted = () => {}, ...options }) {
  const { config, signal } = options;
  for (const delay of [...RETRIES, null]) {
    try {
      return await sendOnce(file, options);
    } catch (error) {
      if (!error.away || delay === null) throw error;
    }
    interrupted();
    await wait(delay, signal);
    if (signal?.aborted) throw new DOMException(config.text.stopped, "AbortError");
  }
}

function sendOnce(file, { config, fields = {}, name = file.name, progress = () => {}, signal = null }) {
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
      const away = AWAY.includes(request.status);
      if (request.status < 300 && answer) return resolve(answer);
      if (answer?.error) {
        const again = ![413, 422].includes(request.status);
        return reject(new Refusal(answer.error.message, { code: answer.error.code, again, away }));
      }
      if (away) return reject(new Refusal(text.away, { away }));
      if (request.status === 403) return reject(new Refusal(text.stale));
      if (request.status === 413) return reject(new Refusal(text.too_large, { again: false }));
      return reject(new Refusal(text.failed));
    });
    request.addEventListener("error", () => reject(new Refusal(text.offline, { away: true })));
    request.addEventListener("timeout", () => reject(new Refusal(text.offline, { away: true })));
    request.addEventListener("abort", () => reject(new DOMException(text.stopped, "AbortError")));
    signal?.addEventListener("abort", () => request.abort());
    const form = new FormData();
    for (const [key, value] of Object.entries(fields)) form.append(key, value);
    form.append("file", file, name);
    request.send(form);
  });
}
