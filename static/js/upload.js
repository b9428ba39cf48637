// The drop zone of the start page: files are sent at once.

import { startDropzone } from "./dropzone.js";
import { fill, Job, Queue } from "./jobs.js";
import { settings } from "./sending.js";
import { toast } from "./site.js";
import { Transfer } from "./transfer.js";

const config = settings("upload-settings");
const section = document.getElementById("uploads");
const list = document.getElementById("upload-list");
const summary = document.getElementById("upload-summary");
const template = document.getElementById("upload-row");
const total = document.getElementById("upload-total");
const retry = document.getElementById("upload-retry");
const queue = new Queue({ config, report, moved: showTotal });
const transfer = new Transfer(queue.jobs);

// A single file of less is there before its row can be read.
const SMALL = 5e6;

let leaving = false;
let shown = 0;
let again = null;

// At most four times a second: many small files would make the line unreadable.
function showTotal() {
  total.hidden = !queue.pending || (queue.jobs.length === 1 && transfer.all < SMALL);
  clearTimeout(again);
  if (total.hidden) return;
  // A connection that stalls moves nothing, but the time left grows.
  again = setTimeout(showTotal, 1000);
  if (performance.now() - shown < 250) return;
  shown = performance.now();
  const share = transfer.all ? transfer.done / transfer.all : 0;
  const bar = total.querySelector("[data-total-bar]");
  bar.style.setProperty("--share", String(share));
  bar.setAttribute("aria-valuenow", String(Math.floor(share * 100)));
  total.querySelector("[data-total-text]").textContent = transfer.words(config.text);
}

function report() {
  const { jobs } = queue;
  showTotal();
  const failed = queue.failed.length;
  retry.hidden = failed === 0;
  retry.textContent = fill(config.text.retry, { count: failed });
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

retry.addEventListener("click", () => queue.retryFailed());
startDropzone(document.getElementById("dropzone"), add);

addEventListener("beforeunload", (event) => {
  if (queue.pending && !leaving) event.preventDefault();
});
