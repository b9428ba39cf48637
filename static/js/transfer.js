// How far all files of an upload are together: bytes sent, speed, and time left.

import { fill } from "./jobs.js";

const WINDOW = 8000;
const SETTLED = 1500;
const MEGA = 1e6;
const ON_THEIR_WAY = ["waiting", "uploading", "checking", "sent"];

function number(value, unit, digits = 0) {
  const options = { style: "unit", unit, maximumFractionDigits: digits, unitDisplay: unit.startsWith("mega") ? "short" : "long" };
  return new Intl.NumberFormat(document.documentElement.lang, options).format(value);
}

export class Transfer {
  // `jobs` is the list of the queue, which grows; `now` gives milliseconds.
  constructor(jobs, now = () => performance.now()) {
    Object.assign(this, { jobs, now });
    this.samples = [];
  }

  // Files that were refused count neither as sent nor as to be sent.
  get all() {
    return this.#sum(() => 1);
  }

  get done() {
    return this.#sum((job) => (["checking", "sent"].includes(job.state) ? 1 : job.state === "uploading" ? job.share : 0));
  }

  #sum(share) {
    return this.jobs
      .filter((job) => ON_THEIR_WAY.includes(job.state))
      .reduce((sum, job) => sum + share(job) * job.file.size, 0);
  }

  // Notes how much is sent by now. Gives bytes per second over the last seconds, or null until that is known.
  measure() {
    const time = this.now();
    const { done } = this;
    // A file that was stopped takes away what it had sent.
    if (done < (this.samples.at(-1)?.done ?? 0)) this.samples = [];
    this.samples.push({ time, done });
    while (this.samples.length > 2 && this.samples[1].time < time - WINDOW) this.samples.shift();
    const first = this.samples[0];
    return time - first.time < SETTLED ? null : ((done - first.done) / (time - first.time)) * 1000;
  }

  // In words, from the texts of the page.
  words(text) {
    const speed = this.measure();
    const { all, done } = this;
    const parts = [fill(text.amount, { done: number(done / MEGA, "megabyte", 1), all: number(all / MEGA, "megabyte", 1) })];
    if (speed) {
      const seconds = Math.ceil((all - done) / speed);
      parts.push(number(speed / MEGA, "megabyte-per-second", 1));
      const left = seconds < 90 ? number(seconds, "second") : number(Math.ceil(seconds / 60), "minute");
      parts.push(fill(text.left, { time: left }));
    }
    return parts.join(" · ");
  }
}
