// A track's page: initialises each result on it or swapped in by htmx, and disposes of those swapped out.
import { startAxis } from "./track/axis.js";
import { startTabs } from "./track/tabs.js";

const running = new Map();

function start(root) {
  for (const section of root.querySelectorAll("[data-sound]")) {
    if (running.has(section)) continue;
    const data = JSON.parse(section.querySelector("#sound-data").textContent);
    const stop = startAxis(section, data);
    startTabs(section);
    running.set(section, stop);
  }
}

function sweep() {
  for (const [section, stop] of running) {
    if (section.isConnected) continue;
    stop();
    running.delete(section);
  }
}

document.addEventListener("htmx:load", (event) => {
  sweep();
  start(event.detail.elt.parentElement ?? document);
});
start(document);

// The title may change in place: the window's title and the player's buttons follow.
document.addEventListener("htmx:afterSettle", () => {
  const title = document.getElementById("track-title")?.textContent.trim();
  if (!title) return;
  document.title = `${title} · Genreweb`;
  const track = document.querySelector("#track-play [data-track]")?.dataset.track;
  for (const place of document.querySelectorAll(`[data-title][data-track="${track}"]`)) place.dataset.title = title;
});

// In the field of a new title, Escape cancels.
document.addEventListener("keydown", (event) => {
  const form = event.target.closest?.("[data-rename]");
  if (event.key === "Escape" && form) form.querySelector("[data-rename-cancel]").click();
});
document.addEventListener("htmx:afterSwap", (event) => {
  const field = document.querySelector("#track-name input[name=title]");
  if (field) {
    field.focus();
    field.select();
  } else if (event.target.id === "track-name" || event.detail.requestConfig?.target?.id === "track-name") {
    document.querySelector("[data-rename-open]")?.focus();
  }
});

// Escape hides the words of a tag until the pointer or the focus comes back (WCAG 1.4.13).
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const tag of document.querySelectorAll("[data-tags] dd:is(:hover, :focus-within)")) tag.dataset.dismissed = "";
});
for (const left of ["pointerout", "focusout"]) {
  document.addEventListener(left, (event) => {
    const tag = event.target.closest?.("[data-tags] dd");
    if (tag && !tag.contains(event.relatedTarget)) delete tag.dataset.dismissed;
  });
}
