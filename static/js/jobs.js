// The upload queue: a few files at a time, each with its own progress; if one fails, the others go on.

import { watch } from "./live.js";
import { isLarge, sendInParts } from "./resumable.js";
import { Refusal, refusalOf, send } from "./sending.js";

const AT_ONCE = 3;
const BUSY = ["uploading", "checking"];

export function fill(text, values) {
  return text.replace(/%\((\w+)\)s/g, (_whole, name) => values[name]);
}

// One file and its row, a copy of `template`. `fields()` returns what else is sent with the file.
export class Job {
  constructor(file, { queue, template, state = "waiting" }) {
    Object.assign(this, { file, queue, state });
    this.row = template.content.firstElementChild.cloneNode(true);
    this.part("name").textContent = file.name;
    this.part("bar").setAttribute("aria-label", file.name);
    this.part("stop").addEventListener("click", () => this.stop());
    this.part("retry").addEventListener("click", () => this.retry());
  }

  get text() {
    return this.queue.config.text;
  }

  part(name) {
    return this.row.querySelector(`[data-${name}]`);
  }

  fields() {
    return {};
  }

  say(text) {
    this.part("state").textContent = text;
  }

  become(state) {
    this.row.classList.remove(`is-${this.state}`);
    this.state = state;
    this.row.classList.add(`is-${state}`);
    this.part("stop").hidden = !["waiting", "uploading"].includes(state);
    this.part("retry").hidden = true;
    this.part("state").classList.toggle("is-bad", state === "refused");
  }

  progress(share) {
    this.share = share;
    const percent = Math.floor(share * 100);
    this.row.style.setProperty("--share", String(share));
    this.part("bar").setAttribute("aria-valuenow", String(percent));
    if (share < 1) {
      // Parts of what seemed to be sent were lost.
      if (this.state === "checking") this.become("uploading");
      this.say(`${this.text.uploading} ${percent} %`);
    } else if (this.state === "uploading") {
      this.become("checking");
      this.say(this.text.checking);
    }
    this.queue.moved();
  }

  // The connection is lost for now; what is missing follows by itself.
  interrupted() {
    if (this.state === "checking") this.become("uploading");
    this.say(this.text.interrupted);
  }

  refuse(message, again) {
    this.become("refused");
    this.again = again;
    this.say(message);
    this.part("retry").hidden = !again;
  }

  wait() {
    this.become("waiting");
    this.say(this.text.waiting);
  }

  async run() {
    const { config } = this.queue;
    const early = refusalOf(this.file, config);
    if (early) return this.refuse(early.message, early.again);
    this.become("uploading");
    this.progress(0);
    this.control = new AbortController();
    try {
      const options = {
        config,
        progress: (share) => this.progress(share),
        interrupted: () => this.interrupted(),
        signal: this.control.signal,
      };
      this.answer = isLarge(this.file, config)
        ? await sendInParts(this.file, options)
        : await send(this.file, { ...options, fields: this.fields() });
    } catch (error) {
      if (error instanceof Refusal) return this.refuse(error.message, error.again);
      if (error.name === "AbortError") return this.refuse(this.text.stopped, true);
      throw error;
    }
    this.state = "sent";
    return this.settle();
  }

  // The server's row replaces ours, and is then updated like any other.
  settle() {
    const holder = document.createElement("template");
    holder.innerHTML = this.answer.row.trim();
    const row = holder.content.firstElementChild;
    document.getElementById(row.id)?.remove();
    this.row.replaceWith(row);
    this.row = row;
    htmx.process(row);
    watch();
  }

  stop() {
    if (this.state === "uploading") this.control.abort();
    else if (this.state === "waiting") this.refuse(this.text.stopped, true);
    this.queue.report();
  }

  retry() {
    this.wait();
    this.queue.next();
  }
}

export class Queue {
  // `report` is called whenever the state of a job has changed, `moved` whenever more of a file is sent.
  constructor({ config, report, moved = () => {} }) {
    Object.assign(this, { config, report, moved });
    this.jobs = [];
  }

  count(...states) {
    return this.jobs.filter((job) => states.includes(job.state)).length;
  }

  // What was refused for a reason that may pass.
  get failed() {
    return this.jobs.filter((job) => job.state === "refused" && job.again);
  }

  retryFailed() {
    for (const job of this.failed) job.wait();
    this.next();
  }

  get pending() {
    return this.count("waiting", ...BUSY) > 0;
  }

  next() {
    while (this.count(...BUSY) < AT_ONCE) {
      const job = this.jobs.find((one) => one.state === "waiting");
      if (!job) break;
      job.run().finally(() => {
        this.report();
        this.next();
      });
    }
    this.report();
  }
}
