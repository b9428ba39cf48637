// Whether music can be made out of what was recorded so far, as the site hears it. It keeps nothing.

import { csrfToken } from "./sending.js";

// Seconds of sound before the first answer, and between two; how often at most in one take.
const FIRST = 6;
const INTERVAL = 10;
const MOST = 8;

export class Clarity {
  // `show` gets a sentence, or an empty string.
  constructor(config, show) {
    this.config = config;
    this.show = show;
    this.begin();
  }

  begin() {
    this.aborter?.abort();
    this.aborter = null;
    this.next = FIRST;
    this.asked = 0;
    this.show("");
  }

  end() {
    this.begin();
    this.asked = MOST;
  }

  // Called again and again while recording; asks at most once at a time.
  update(seconds, blobSoFar, ending) {
    if (this.aborter || this.asked >= MOST || seconds < this.next) return;
    this.next = seconds + INTERVAL;
    this.asked += 1;
    const aborter = new AbortController();
    this.aborter = aborter;
    this.ask(blobSoFar(), ending, aborter.signal).finally(() => {
      if (this.aborter === aborter) this.aborter = null;
    });
  }

  async ask(blob, ending, signal) {
    const form = new FormData();
    form.append("file", blob, `so-far.${ending}`);
    try {
      const response = await fetch(this.config.clarityUrl, {
        method: "POST",
        headers: { Accept: "application/json", "X-CSRFToken": csrfToken() },
        body: form,
        signal,
      });
      // Busy, or a container that cannot be read before its end: the recording goes on without a hint.
      if (!response.ok) return;
      const answer = await response.json();
      if (!signal.aborted) this.show(this.sentence(answer));
    } catch {
      // Offline or stopped: a hint is no reason to disturb a recording.
    }
  }

  sentence({ label, unsure, reason }) {
    const { text } = this.config;
    if (reason === "talk_and_noise") return text.talk_and_noise;
    if (label === null) return text.no_music_yet;
    return unsure ? text.not_clear_yet : text.clear;
  }
}
