// The drop zone: many files at once, a few at a time, each with its own progress, the rest going on if one fails.

import { dropped, looksLikeAudio } from "./dropped.js";
import { watch } from "./live.js";
import { Refusal, refusalOf, send, settings } from "./sending.js";
import { toast } from "./site.js";

const AT_ONCE = 3;

const config = settings("upload-settings");
const zone = document.getElementById("dropzone");
const section = document.getElementById("uploads");
const list = document.getElementById("upload-list");
const summary = document.getElementById("upload-summary");
const template = document.getElementById("upload-row");

const jobs = [];
let leaving = false;

class Job {
  constructor(file) {
    this.file = file;
    this.state = "waiting";
    this.row = template.content.firstElementChild.cloneNode(true);
    this.part("name").textContent = file.name;
    this.part("bar").setAttribute("aria-label", file.name);
    this.part("stop").addEventListener("click", () => this.stop());
    this.part("retry").addEventListener("click", () => this.retry());
    this.say(config.text.waiting);
  }

  part(name) {
    return this.row.querySelector(`[data-${name}]`);
  }

  say(text) {
    this.part("state").textContent = text;
  }

  become(state) {
    this.row.classList.remove(`is-${this.state}`);
    this.state = state;
    this.row.classList.add(`is-${state}`);
    this.part("stop").hidden = !["waiting", "uploading"].includes(state);
    this.part("state").classList.toggle("is-bad", state === "refused");
  }

  progress(share) {
    const percent = Math.floor(share * 100);
    this.row.style.setProperty("--share", String(share));
    this.part("bar").setAttribute("aria-valuenow", String(percent));
    if (share < 1) {
      this.say(`${config.text.uploading} ${percent} %`);
    } else if (this.state === "uploading") {
      this.become("checking");
      this.say(config.text.checking);
    }
  }

  refuse(message, again) {
    this.become("refused");
    this.say(message);
    this.part("retry").hidden = !again;
  }

  async run() {
    const early = refusalOf(this.file, config);
    if (early) return this.refuse(early.message, early.again);
    this.become("uploading");
    this.progress(0);
    this.control = new AbortController();
    try {
      this.answer = await send(this.file, {
        config,
        progress: (share) => this.progress(share),
        signal: this.control.signal,
      });
    } catch (error) {
      if (error instanceof Refusal) return this.refuse(error.message, error.again);
      if (error.name === "AbortError") return this.refuse(config.text.stopped, true);
      throw error;
    }
    this.state = "sent";
    return this.settle();
  }

  // The row that the site drew takes the place of ours, and is kept up to date like any other.
  settle() {
    document.getElementById(`upload-${this.answer.id}`)?.remove();
    const holder = document.createElement("template");
    holder.innerHTML = this.answer.row.trim();
    const row = holder.content.firstElementChild;
    this.row.replaceWith(row);
    this.row = row;
    htmx.process(row);
    watch();
  }

  stop() {
    if (this.state === "uploading") this.control.abort();
    else if (this.state === "waiting") this.refuse(config.text.stopped, true);
    report();
  }

  retry() {
    this.part("retry").hidden = true;
    this.become("waiting");
    this.say(config.text.waiting);
    next();
  }
}

function busy() {
  return jobs.filter((job) => ["uploading", "checking"].includes(job.state)).length;
}

function pending() {
  return jobs.some((job) => ["waiting", "uploading", "checking"].includes(job.state));
}

function next() {
  while (busy() < AT_ONCE) {
    const job = jobs.find((one) => one.state === "waiting");
    if (!job) break;
    job.run().finally(() => {
      report();
      next();
    });
  }
  report();
}

function fill(text, values) {
  return text.replace(/%\((\w+)\)s/g, (_whole, name) => values[name]);
}

function report() {
  const sent = jobs.filter((job) => job.state === "sent").length;
  const refused = jobs.filter((job) => job.state === "refused").length;
  if (pending()) {
    summary.textContent = fill(config.text.progress, { done: sent, all: jobs.length });
    return;
  }
  // Whoever sends one song wants to see it: straight to its result.
  if (jobs.length === 1 && sent === 1 && !jobs[0].answer.duplicate && !leaving) {
    leaving = true;
    location.assign(jobs[0].answer.url);
    return;
  }
  summary.textContent = refused ? fill(config.text.refused, { count: refused }) : config.text.finished;
}

function add(files, skipped = 0) {
  if (skipped) toast(fill(config.text.skipped, { count: skipped }));
  if (!files.length) {
    if (!skipped) toast(config.text.nothing);
    return;
  }
  section.hidden = false;
  for (const file of files) {
    const job = new Job(file);
    jobs.push(job);
    list.append(job.row);
  }
  next();
  if (files.length > 1) section.scrollIntoView({ block: "nearest", behavior: "smooth" });
}

// --- choosing ---
const chooser = document.getElementById("files");
chooser.addEventListener("change", () => {
  add([...chooser.files]);
  chooser.value = "";
});
const folder = document.getElementById("folder");
const folderButton = document.querySelector("[data-folder]");
if ("webkitdirectory" in folder && !matchMedia("(pointer: coarse)").matches) {
  folderButton.addEventListener("click", () => folder.click());
  folder.addEventListener("change", () => {
    const files = [...folder.files].filter((file) => !file.name.startsWith("."));
    const audio = files.filter(looksLikeAudio);
    add(audio, files.length - audio.length);
    folder.value = "";
  });
} else {
  folderButton.remove();
}
zone.addEventListener("submit", (event) => event.preventDefault());

// --- dropping, anywhere on the page, and pasting ---
function carriesFiles(event) {
  return [...(event.dataTransfer?.types ?? [])].includes("Files");
}

addEventListener("dragover", (event) => {
  if (!carriesFiles(event)) return;
  event.preventDefault();
  event.dataTransfer.dropEffect = "copy";
  zone.classList.add("is-over");
});
addEventListener("dragleave", (event) => {
  if (event.relatedTarget === null) zone.classList.remove("is-over");
});
addEventListener("drop", async (event) => {
  if (!carriesFiles(event)) return;
  event.preventDefault();
  zone.classList.remove("is-over");
  const { files, skipped } = await dropped(event.dataTransfer);
  add(files, skipped);
});
addEventListener("paste", (event) => {
  const files = [...(event.clipboardData?.files ?? [])];
  if (files.length) add(files);
});

addEventListener("beforeunload", (event) => {
  if (pending() && !leaving) event.preventDefault();
});
