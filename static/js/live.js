// Updates the rows of unfinished tracks by polling: one request for all of them, only while there are any. While
// many tracks are analysed again, all rows are watched.

const SOON = 700;
const LATEST = 4000;
// As many as fit into a URL of safe length.
const AT_ONCE = 40;

let wait = SOON;
let timer = 0;
let ran = false;

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
  schedule();
}

function schedule() {
  if (!timer && !document.hidden && (runs() || ran || watched("watch").size)) timer = setTimeout(look, wait);
}

// Call this when rows were added by other means than htmx.
export function watch() {
  wait = SOON;
  schedule();
}

document.addEventListener("visibilitychange", () => !document.hidden && watch());
document.addEventListener("htmx:afterSettle", schedule);
document.addEventListener("htmx:oobAfterSwap", schedule);
schedule();
