// Updates the rows of unfinished tracks: one request for all of them, when an event says that something has changed;
// where events do not arrive, every other second. Only while there are any. While many tracks are analysed again,
// all rows are watched.

import { check, listen, connected } from "./events.js";

const SOON = 700;
const LATEST = 4000;
// Beside events, in case that one was lost.
const CALM = 10_000;
// Events of several tracks that follow each other closely are one request.
const AFTER_EVENT = 150;
const APART = 700;
// All rows cost more than those that wait.
const ALL_APART = 2000;
// As many as fit into a URL of safe length.
const AT_ONCE = 40;

let wait = SOON;
let timer = 0;
let ran = false;
let looking = false;
let again = false;
let looked = 0;
let urgent = false;

function runs() {
  return document.querySelector("[data-all-rows]") !== null;
}

// Watched rows by the URL to poll: that of the list, else that of tracks. `kind`: "watch", or "row" for all.
function watched(kind) {
  const rows = [...document.querySelectorAll(`[data-${kind}]`)];
  // A row is left alone while its title is being edited.
  const idle = rows.filter((row) => !row.querySelector("[data-rename]"));
  return Map.groupBy(idle, (row) => row.closest("[data-rows]").dataset.rows);
}

async function ask(address, rows, kind) {
  for (let at = 0; at < rows.length; at += AT_ONCE) {
    const query = new URLSearchParams(rows.slice(at, at + AT_ONCE).map((row) => ["watch", row.dataset[kind]]));
    await htmx.ajax("GET", `${address}?${query}`, {
      source: document.body,
      target: document.body,
      swap: "none",
      headers: { "X-Quiet": "1" },
    });
  }
}

async function look() {
  timer = 0;
  looking = true;
  again = urgent = false;
  looked = performance.now();
  try {
    await update();
  } finally {
    looking = false;
  }
  if (again) soon();
  else schedule();
}

async function update() {
  // Once more after the last one was done.
  const kind = runs() || ran ? "row" : "watch";
  ran = runs();
  const lists = watched(kind);
  if (!lists.size) return;
  let changed = false;
  const note = () => {
    changed = true;
  };
  document.body.addEventListener("htmx:oobAfterSwap", note);
  try {
    for (const [address, rows] of lists) await ask(address, rows, kind);
  } catch {
    // The next poll may succeed.
  }
  document.body.removeEventListener("htmx:oobAfterSwap", note);
  wait = changed ? SOON : Math.min(wait * 1.4, LATEST);
}

function waits() {
  return runs() || ran || watched("watch").size > 0;
}

function schedule() {
  if (timer || looking || document.hidden || !waits()) return;
  timer = setTimeout(look, connected && runs() === ran ? CALM : wait);
  check();
}

function soon() {
  again = looking;
  if (looking || urgent || document.hidden || !waits()) return;
  urgent = true;
  clearTimeout(timer);
  timer = setTimeout(look, Math.max(AFTER_EVENT, looked + (runs() ? ALL_APART : APART) - performance.now()));
}

// Call this when rows were added by other means than htmx.
export function watch() {
  wait = SOON;
  if (!urgent) {
    clearTimeout(timer);
    timer = 0;
  }
  schedule();
}

listen(waits, (kind) => ["open", "track", "clip", "reanalysis"].includes(kind) && soon());

document.addEventListener("visibilitychange", () => !document.hidden && watch());
document.addEventListener("htmx:afterSettle", schedule);
document.addEventListener("htmx:oobAfterSwap", schedule);
schedule();
