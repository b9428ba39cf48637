// The keys of every page, and the list of all keys. They rest while somebody writes or a dialog is open.
import { player, queue } from "../player.js";
import { keepSettings, settings } from "./kept.js";
import { repeat, show, speed } from "./panel.js";

const LEAP = 10;
const WRITABLE = "input:not([type=checkbox], [type=radio], [type=range]), textarea, select, [contenteditable]";
// What the space bar does there already.
const PRESSED = "button, a, summary, input, [role=slider], [role=tab]";

const map = document.getElementById("keyboard");
const on = map.querySelector("[data-keyboard-on]");

const ACTS = {
  k: () => player.toggle(),
  j: () => player.seek(player.time - LEAP),
  l: () => player.seek(player.time + LEAP),
  n: () => player.next(),
  p: () => player.previous(),
  m: () => player.mute(),
  s: () => player.setShuffle(!queue.shuffled),
  r: () => repeat(),
  q: () => show(),
  "<": () => speed(-1),
  ">": () => speed(1),
};

function search() {
  const field = document.querySelector("main input[type=search], main input[name=q]");
  field?.focus();
  field?.select();
  return Boolean(field);
}

function press(event) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (key === "?") return map.showModal() ?? true;
  if (key === "/") return search();
  if (!player.sound) return false;
  if (key === " ") {
    if (event.target.closest?.(PRESSED)) return false;
    player.toggle();
    return true;
  }
  if (!settings.keys || !(key in ACTS)) return false;
  ACTS[key]();
  return true;
}

// On the window, so that a page's own keys, which listen on the document, come first.
window.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (document.querySelector("dialog[open]") || event.target.closest?.(WRITABLE)) return;
  if (press(event)) event.preventDefault();
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-keyboard]")) map.showModal();
  // Beside the list.
  else if (event.target === map) map.close();
});
on.checked = settings.keys;
on.addEventListener("change", () => {
  settings.keys = on.checked;
  keepSettings();
});
