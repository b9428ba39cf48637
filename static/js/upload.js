// The drop zone of the start page: files are sent at once.

import { startDropzone } from "./dropzone.js";
import { fill, Job, Queue } from "./jobs.js";
import { settings } from "./sending.js";
import { toast } from "./site.js";

const config = settings("upload-settings");
const section = document.getElementById("uploads");
const list = document.getElementById("upload-list");
const summary = document.getElementById("upload-summary");
const template = document.getElementById("upload-row");
const queue = new Queue({ config, report });

let leaving = false;

function report() {
  const { jobs } = queue;
  const sent = queue.count("sent");
  const refused = queue.count("refused");
  if (queue.pending) {
    summary.textContent = fill(config.text.progress, { done: sent, all: jobs.length });
    return;
  }
  // After a single file, go to its page.
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
    const job = new Job(file, { queue, template });
    job.wait();
    queue.jobs.push(job);
    list.append(job.row);
  }
  queue.next();
  if (files.length > 1) section.scrollIntoView({ block: "nearest", behavior: "smooth" });
}

startDropzone(document.getElementById("dropzone"), add);

addEventListener("beforeunload", (event) => {
  if (queue.pending && !leaving) event.preventDefault();
});
