// Sends one large file in parts by the tus protocol: what has arrived stays when the connection or the page is lost,
// and the rest follows when the same file is sent again.

import { csrfToken, Refusal, wait } from "./sending.js";

// A part of which the end is missing does not count, so that parts are small.
const PART = 4 * 2 ** 20;
const RETRIES = [500, 1000, 2000, 5000, 10_000, 20_000, 30_000];
const ASK_AGAIN = 1000;
const ASKED_AT_MOST = 300;
// Of answers that mean that later may be better.
const PASSING = [408, 409, 423, 429];
// Of answers that say what is wrong with the file.
const FINAL = [400, 413, 422];

let library = null;

async function tus(config) {
  library ??= import(config.resumable.library).catch((error) => {
    library = null;
    throw error;
  });
  await library;
  return globalThis.tus;
}

// Whether a file is large enough that losing what was sent would hurt.
export function isLarge(file, { resumable }) {
  return resumable !== undefined && file.size > resumable.above;
}

function refusal(error, text) {
  const response = error.originalResponse;
  const status = response?.getStatus() ?? 0;
  if (!status) return new Refusal(text.offline);
  try {
    const said = JSON.parse(response.getBody()).error;
    return new Refusal(said.message, { code: said.code, again: !FINAL.includes(status) });
  } catch {
    return new Refusal(status === 403 ? text.stale : text.failed);
  }
}

// What the page shows of the track that the upload became; another process may still be at it.
async function answer(address, { config, signal }) {
  const { text } = config;
  const id = new URL(address, location.href).pathname.split("/").filter(Boolean).at(-1);
  const url = config.resumable.answer.replace(config.resumable.id, id);
  for (let asked = 0; asked < ASKED_AT_MOST && !signal?.aborted; asked++) {
    let response = null;
    try {
      response = await fetch(url, { headers: { Accept: "application/json" }, signal });
    } catch (error) {
      if (error.name === "AbortError") throw error;
    }
    if (response && ![202, 502, 503, 504].includes(response.status)) {
      const body = await response.json().catch(() => null);
      if (response.ok && body) return body;
      const again = !FINAL.includes(response.status);
      throw new Refusal(body?.error?.message ?? text.failed, { code: body?.error?.code, again });
    }
    await wait(ASK_AGAIN, signal);
  }
  throw new Refusal(text.failed);
}

function transfer({ Upload }, file, { config, progress, interrupted, signal }) {
  const { resumable, text, owner } = config;
  return new Promise((resolve, reject) => {
    const upload = new Upload(file, {
      endpoint: resumable.url,
      chunkSize: PART,
      retryDelays: RETRIES,
      metadata: { filename: file.name },
      removeFingerprintOnSuccess: true,
      fingerprint: async (one) => ["genreweb", owner, resumable.url, one.name, one.size, one.lastModified].join("|"),
      onBeforeRequest: (request) => {
        request.setHeader("X-CSRFToken", csrfToken());
        request.setHeader("Accept", "application/json");
      },
      onProgress: (sent, all) => progress(sent / all),
      onShouldRetry: (error) => {
        const status = error.originalResponse?.getStatus() ?? 0;
        const passes = !status || status >= 500 || PASSING.includes(status);
        if (passes && status !== 507) interrupted();
        return passes && status !== 507;
      },
      onError: (error) => reject(refusal(error, text)),
      onSuccess: () => resolve(upload.url),
    });
    signal?.addEventListener("abort", () => {
      upload.abort();
      reject(new DOMException(text.stopped, "AbortError"));
    });
    upload
      .findPreviousUploads()
      .catch(() => [])
      .then(([former]) => {
        if (former) upload.resumeFromPreviousUpload(former);
        if (!signal?.aborted) upload.start();
      });
  });
}

// As `send` of sending.js, for large files. `interrupted()` is called when the connection is lost for a while.
export async function sendInParts(file, { config, progress = () => {}, interrupted = () => {}, signal = null }) {
  let client = null;
  try {
    client = await tus(config);
  } catch {
    throw new Refusal(config.text.offline);
  }
  const address = await transfer(client, file, { config, progress, interrupted, signal });
  return answer(address, { config, signal });
}
