// The panel of the player's queue: order by drag, keyboard and buttons; shuffle, repeat, volume and speed.
import { player, queue, SPEEDS } from "../player.js";
import { clock } from "./clock.js";
import { toast } from "../site.js";
import { REPEATS } from "./queue.js";
import { fetchSounds } from "./sounds.js";

const panel = document.getElementById("queue");
const opener = document.querySelector('[data-player="open"]');
const template = document.getElementById("queue-row");
const part = (name) => panel.querySelector(`[data-queue-${name}]`);
const list = part("list");

export function show(open = panel.hidden) {
  const had = panel.contains(document.activeElement);
  panel.hidden = !open;
  opener.setAttribute("aria-expanded", String(open));
  if (open) {
    draw();
    document.getElementById("queue-title").focus();
    list.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
  } else if (had) opener.focus();
}

function say(text, item) {
  const values = { title: item?.title, place: queue.items.indexOf(item) + 1, count: queue.items.length };
  part("news").textContent = text.replace(/\{(\w+)\}/g, (_whole, name) => values[name]);
}

function row(item, place) {
  const node = template.content.firstElementChild.cloneNode(true);
  node.dataset.place = String(place);
  node.querySelector(".queue-name").textContent = item.title;
  node.querySelector(".queue-artist").textContent = item.artist ?? "";
  node.querySelector(".queue-length").textContent = item.duration ? clock(item.duration) : "";
  for (const button of node.querySelectorAll("[aria-label]")) {
    button.setAttribute("aria-label", button.getAttribute("aria-label").replace("{title}", item.title));
  }
  node.querySelector("[data-row-up]").disabled = place === 0;
  node.querySelector("[data-row-down]").disabled = place === queue.items.length - 1;
  if (place === queue.at) node.setAttribute("aria-current", "true");
  return node;
}

function draw() {
  part("shuffle").setAttribute("aria-pressed", String(queue.shuffled));
  const repeat = part("repeat");
  repeat.dataset.repeat = queue.repeat;
  repeat.title = repeat.dataset[queue.repeat];
  repeat.setAttribute("aria-label", repeat.title);
  part("mute").setAttribute("aria-pressed", String(player.volume === 0));
  part("volume").value = String(player.volume);
  part("volume").style.setProperty("--played", String(player.volume));
  part("speed").value = String(player.speed);
  part("empty").hidden = queue.following() >= 0;
  part("clear").hidden = queue.items.length < 2;
  if (panel.hidden) return;
  const focused = document.activeElement?.closest(".queue-row");
  const what = focused && [...document.activeElement.attributes].find((each) => each.name.startsWith("data-row"))?.name;
  list.replaceChildren(...queue.items.map(row));
  if (focused && what) list.children[Math.min(focused.dataset.place, list.children.length - 1)]?.querySelector(`[${what}]`)?.focus();
}

function changed() {
  document.dispatchEvent(new CustomEvent("player:queue", { detail: { sound: player.sound } }));
}

function move(from, to, what) {
  const item = queue.items[from];
  if (!queue.move(from, to)) return;
  changed();
  const node = list.children[queue.items.indexOf(item)];
  const button = node.querySelector(`[${what}]`);
  (button.disabled ? node.querySelector("[data-row-grip]") : button).focus();
  say(panel.dataset.moved, item);
}

function remove(place) {
  const item = queue.items[place];
  queue.remove(place);
  changed();
  say(panel.dataset.removed, item);
  if (!panel.contains(document.activeElement)) document.getElementById("queue-title").focus();
}

list.addEventListener("click", (event) => {
  const node = event.target.closest(".queue-row");
  if (!node) return;
  const place = Number(node.dataset.place);
  if (event.target.closest("[data-row-play]")) player.jump(place);
  else if (event.target.closest("[data-row-up]")) move(place, place - 1, "data-row-up");
  else if (event.target.closest("[data-row-down]")) move(place, place + 1, "data-row-down");
  else if (event.target.closest("[data-row-remove]")) remove(place);
});

list.addEventListener("keydown", (event) => {
  const node = event.target.closest(".queue-row");
  if (!node || event.altKey || event.ctrlKey || event.metaKey) return;
  const place = Number(node.dataset.place);
  const steps = { ArrowUp: -1, ArrowDown: 1 };
  if (event.key in steps && event.target.closest("[data-row-grip]")) move(place, place + steps[event.key], "data-row-grip");
  else if (event.key === "Delete") remove(place);
  else return;
  event.preventDefault();
});

// By pointer: the row follows the finger over its neighbours, and is put where it is let go.
list.addEventListener("pointerdown", (event) => {
  const grip = event.target.closest("[data-row-grip]");
  if (!grip || event.button) return;
  event.preventDefault();
  grip.focus();
  grip.setPointerCapture(event.pointerId);
  const node = grip.closest(".queue-row");
  const from = Number(node.dataset.place);
  node.classList.add("is-dragged");
  const follow = (moved) => {
    const over = [...list.children].find((each) => {
      const box = each.getBoundingClientRect();
      return each !== node && moved.clientY > box.top && moved.clientY < box.bottom;
    });
    if (!over) return;
    const after = node.compareDocumentPosition(over) & Node.DOCUMENT_POSITION_FOLLOWING;
    over[after ? "after" : "before"](node);
    // To move it in the document takes the capture away.
    if (!grip.hasPointerCapture(moved.pointerId)) grip.setPointerCapture(moved.pointerId);
  };
  const end = (ended) => {
    document.removeEventListener("pointermove", follow);
    document.removeEventListener("pointerup", end);
    document.removeEventListener("pointercancel", end);
    node.classList.remove("is-dragged");
    const to = [...list.children].indexOf(node);
    if (ended.type === "pointerup" && to !== from) move(from, to, "data-row-grip");
    else draw();
  };
  document.addEventListener("pointermove", follow);
  document.addEventListener("pointerup", end);
  document.addEventListener("pointercancel", end);
});

opener.addEventListener("click", () => show());
part("close").addEventListener("click", () => show(false));
part("shuffle").addEventListener("click", () => player.setShuffle(!queue.shuffled));
part("repeat").addEventListener("click", () => repeat());
part("mute").addEventListener("click", () => player.mute());
part("volume").addEventListener("input", (event) => player.setVolume(Number(event.target.value)));
part("speed").addEventListener("change", (event) => player.setSpeed(Number(event.target.value)));
part("clear").addEventListener("click", () => {
  queue.clear();
  changed();
  document.getElementById("queue-title").focus();
});
panel.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  event.preventDefault();
  show(false);
});

export function repeat() {
  player.setRepeat(REPEATS[(REPEATS.indexOf(queue.repeat) + 1) % REPEATS.length]);
}

export function speed(step) {
  player.setSpeed(SPEEDS[SPEEDS.indexOf(player.speed) + step] ?? player.speed);
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-enqueue]");
  if (!button) return;
  try {
    const count = player.enqueue(await fetchSounds([button.dataset.enqueue]));
    toast(count ? panel.dataset.added : panel.dataset.known);
  } catch {
    toast(document.getElementById("toasts").dataset.failed, "bad");
  }
});
document.addEventListener("player:queue", () => {
  draw();
  if (!player.sound && !queue.items.length) show(false);
});
draw();
