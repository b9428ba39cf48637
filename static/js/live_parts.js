// Parts of a page that change by themselves: `data-live` names the kind of event, `data-live-key` the thing. A part is
// asked for again (its hx-trigger is "live") when such an event comes; without events every `data-live-every`
// milliseconds, and beside them every `data-live-calm`. Of events in a row, the first and the last count; costly parts
// are asked for at most every `data-live-gap` milliseconds.

import { check, listen, connected } from "./events.js";

const GAP = 400;

const asked = new WeakMap();
let timer = 0;

function parts() {
  return [...document.querySelectorAll("[data-live]")];
}

function now() {
  return performance.now();
}

function ask(part) {
  asked.set(part, now());
  htmx.trigger(part, "live");
}

function due(part) {
  if (!asked.has(part)) asked.set(part, now());
  const { liveEvery, liveCalm, liveSoon, liveGap } = part.dataset;
  const wait = Number(liveSoon !== undefined ? (liveGap ?? GAP) : connected ? liveCalm : liveEvery);
  return asked.get(part) + wait - now();
}

function schedule() {
  clearTimeout(timer);
  const waits = parts().map(due);
  if (!waits.length) return;
  timer = setTimeout(look, Math.max(0, Math.min(...waits)));
  check();
}

function look() {
  if (document.hidden) return;
  for (const part of parts()) {
    if (due(part) > 0) continue;
    delete part.dataset.liveSoon;
    ask(part);
  }
  schedule();
}

listen(
  () => parts().length > 0,
  (kind, data) => {
    for (const part of parts()) {
      const { live, liveKey } = part.dataset;
      if (kind === "open" || (kind === live && (!liveKey || liveKey === String(data.id)))) part.dataset.liveSoon = "";
    }
    schedule();
  },
);
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  for (const part of parts()) part.dataset.liveSoon = "";
  schedule();
});
document.addEventListener("htmx:afterSettle", schedule);
schedule();
