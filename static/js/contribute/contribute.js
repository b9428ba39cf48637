// Contributing clips: files are collected, each gets a genre, and they are sent once the rights are confirmed.

import { startDropzone } from "../dropzone.js";
import { fill, Job, Queue } from "../jobs.js";
import { player } from "../player.js";
import { clock } from "../player/clock.js";
import { isRecording, startRecorder } from "../recorder.js";
import { settings } from "../sending.js";
import { toast } from "../site.js";
import { Cutter } from "./cutter.js";
import { durationOf, peaksOf } from "./peaks.js";

const config = settings("contribute-settings");
const { text } = config;
const section = document.getElementById("uploads");
const list = document.getElementById("upload-list");
const template = document.getElementById("draft-row");
const summary = document.getElementById("upload-summary");
const everyGenre = document.getElementById("genre-all");
const everyPart = document.getElementById("split-for-all");
const rights = document.getElementById("rights-all");
const rightsError = document.getElementById("rights-error");
const button = document.getElementById("send");
const queue = new Queue({ config, report });
const EDITABLE = ["draft", "refused"];

let count = 0;

class Draft extends Job {
  constructor(file, seconds = null) {
    super(file, { queue, template, state: "draft" });
    count += 1;
    this.url = URL.createObjectURL(file);
    this.form = this.row.querySelector("form");
    this.form.addEventListener("submit", (event) => event.preventDefault());
    for (const labelled of this.row.querySelectorAll("[data-id]")) {
      const id = `draft-${count}-${labelled.dataset.id}`;
      labelled.id = id;
      this.row.querySelector(`[data-for="${labelled.dataset.id}"]`)?.setAttribute("for", id);
    }
    const play = this.part("file-play");
    Object.assign(play.dataset, { play: this.url, title: file.name });
    play.setAttribute("aria-label", fill(text.play, { name: file.name }));
    const remove = this.part("remove");
    remove.setAttribute("aria-label", fill(text.remove, { name: file.name }));
    remove.addEventListener("click", () => this.remove());
    this.genre = this.part("genre");
    this.genre.value = everyGenre.value;
    this.genre.addEventListener("change", () => {
      this.own = this.genre.value !== "";
      this.mark("");
      report();
    });
    this.cut = this.row.querySelector("[data-cut]");
    this.cutter = null;
    this.partIsOwn = false;
    this.part("part-own").addEventListener("click", () => this.choosePart("cut", true));
    this.measure(seconds);
  }

  async measure(known) {
    const seconds = known ?? (await durationOf(this.url));
    this.part("length").textContent = seconds ? clock(seconds) : "";
    // If the browser cannot read the duration, the server splits what is too long.
    if (!seconds || seconds <= config.clipSeconds + 0.05) return;
    this.cut.dataset.duration = String(seconds);
    this.cut.hidden = false;
    this.cutter = new Cutter(this.cut, {
      sound: () => peaksOf(this.file),
      play: (at) => {
        player.play({ url: this.url, title: this.file.name, duration: seconds, at });
        return this.url;
      },
    });
    for (const choice of this.parts) choice.addEventListener("change", () => (this.partIsOwn = true));
    if (partForAll() === "cut") this.choosePart("cut");
    report();
  }

  get parts() {
    return this.cut.querySelectorAll("input[name=part]");
  }

  // Whether all of a long file is given or one part of it, as for all files or by its own choice.
  choosePart(value, own = false) {
    for (const choice of this.parts) choice.checked = choice.value === value;
    this.cutter.choose();
    this.partIsOwn = own;
    foldParts();
    if (own) this.cut.querySelector("input[name=part]:checked").focus();
  }

  mark(message) {
    const error = this.part("genre-error");
    error.textContent = message;
    error.hidden = !message;
    this.genre.setAttribute("aria-invalid", String(Boolean(message)));
  }

  // Returns whether it can be sent; else marks and announces what is missing.
  check() {
    this.mark(this.genre.value ? "" : text.noGenre);
    const fits = this.cutter ? this.cutter.check() : true;
    return this.genre.value !== "" && fits;
  }

  get firstWrong() {
    return this.row.querySelector("[aria-invalid=true]");
  }

  become(state) {
    super.become(state);
    this.part("editor").hidden = !EDITABLE.includes(state);
    this.part("remove").hidden = !EDITABLE.includes(state);
    this.part("bar").hidden = EDITABLE.includes(state);
    // A file that was refused for its content is not sent again.
    this.hopeless = false;
  }

  refuse(message, again) {
    super.refuse(message, again);
    this.hopeless = !again;
    this.part("editor").hidden = !again;
  }

  retry() {
    if (!ready([this])) return;
    super.retry();
  }

  fields() {
    const given = Object.fromEntries(new FormData(this.form));
    return { ...given, ...(this.cutter?.fields() ?? {}), rights: "true" };
  }

  settle() {
    super.settle();
    this.leave();
  }

  leave() {
    this.cutter?.stop();
    if (player.holds(this.url)) player.stop();
    URL.revokeObjectURL(this.url);
  }

  remove() {
    const next = this.row.nextElementSibling ?? this.row.previousElementSibling;
    const place = queue.jobs.indexOf(this);
    queue.jobs.splice(place, 1);
    if (player.holds(this.url)) player.stop();
    this.row.remove();
    (next?.querySelector("select, a, button") ?? document.getElementById("files")).focus();
    report();
    toast(fill(text.removed, { name: this.file.name }), "", {
      label: text.undo,
      run: () => {
        queue.jobs.splice(place, 0, this);
        list.insertBefore(this.row, list.children[place] ?? null);
        report();
      },
    });
  }
}

function drafts() {
  return queue.jobs.filter((job) => EDITABLE.includes(job.state) && !job.hopeless);
}

function partForAll() {
  return everyPart.querySelector("input:checked").value;
}

// Several long files are asked about once, and what is the same for all is not shown with each.
function foldParts() {
  const long = drafts().filter((draft) => draft.cutter);
  everyPart.hidden = long.length < 2;
  for (const draft of long) {
    const folded = !everyPart.hidden && !draft.partIsOwn && partForAll() === "auto";
    draft.cut.hidden = folded;
    draft.part("part-own").hidden = !folded;
  }
}

function report() {
  foldParts();
  const waiting = drafts().length;
  const sent = queue.count("sent");
  section.hidden = queue.jobs.length === 0;
  document.getElementById("send-panel").hidden = waiting === 0;
  document.getElementById("genre-for-all").hidden = waiting < 2;
  const words = waiting === 1 ? text.sendOne : fill(text.sendMany, { count: waiting });
  if (button.textContent !== words) button.textContent = words;
  let summaryText = "";
  if (queue.pending) summaryText = fill(text.progress, { done: sent, all: queue.jobs.length });
  else if (sent && queue.count("refused")) summaryText = fill(text.refused, { count: queue.count("refused") });
  else if (sent && !waiting) summaryText = text.finished;
  if (summary.textContent !== summaryText) summary.textContent = summaryText;
  document.getElementById("sent-all").hidden = sent === 0;
}

// Returns whether these can be sent. If not, the first missing field gets the focus.
function ready(chosen) {
  const wrong = chosen.filter((draft) => !draft.check());
  rightsError.hidden = rights.checked;
  rights.setAttribute("aria-invalid", String(!rights.checked));
  if (wrong.length) wrong[0].firstWrong?.focus();
  else if (!rights.checked) rights.focus();
  return !wrong.length && rights.checked;
}

function add(files, skipped = 0, seconds = null) {
  if (skipped) toast(fill(text.skipped, { count: skipped }));
  if (!files.length) {
    if (!skipped) toast(text.nothing);
    return;
  }
  for (const file of files) {
    const draft = new Draft(file, seconds);
    draft.become("draft");
    queue.jobs.push(draft);
    list.append(draft.row);
  }
  report();
  section.scrollIntoView({ block: "nearest", behavior: "smooth" });
}

button.addEventListener("click", () => {
  const chosen = drafts();
  if (!ready(chosen)) return;
  for (const draft of chosen) draft.wait();
  queue.next();
});
rights.addEventListener("change", () => {
  rightsError.hidden = true;
  rights.setAttribute("aria-invalid", "false");
});
everyGenre.addEventListener("change", () => {
  for (const draft of drafts()) {
    if (draft.own) continue;
    draft.genre.value = everyGenre.value;
    draft.mark("");
  }
});

everyPart.addEventListener("change", () => {
  for (const draft of drafts()) if (draft.cutter && !draft.partIsOwn) draft.choosePart(partForAll());
  foldParts();
});

startDropzone(document.getElementById("dropzone"), add);
startRecorder(config, ({ blob, seconds, ending, started }) => {
  const two = (number) => String(number).padStart(2, "0");
  const moment = `${started.getFullYear()}-${two(started.getMonth() + 1)}-${two(started.getDate())}`;
  const hour = `${two(started.getHours())}-${two(started.getMinutes())}-${two(started.getSeconds())}`;
  add([new File([blob], `recording-${moment}-${hour}.${ending}`, { type: blob.type })], 0, seconds);
  list.lastElementChild.querySelector("[data-genre]").focus();
});

addEventListener("beforeunload", (event) => {
  if (isRecording() || queue.pending || drafts().length) event.preventDefault();
});
