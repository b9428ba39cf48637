// The review queue. The next cards are prefetched and shown at once, while a decision is sent in the background.
// If a decision cannot be saved, its card is shown again.
import { player } from "./player.js";
import { listen } from "./review/keys.js";
import { startSound } from "./review/sound.js";
import { toast } from "./site.js";

const root = document.getElementById("review");
const stage = document.getElementById("review-stage");
const ahead = document.getElementById("review-ahead");
const standing = document.getElementById("review-standing");
const news = document.getElementById("review-news");
const { source } = root.dataset;
const AHEAD = 2;
// Keys that decide about a clip or leave it: none of them acts while the choice of a genre or reason is open.
const DECISIONS = new Set(["a", "s", "u"]);

const skipped = new Set(new URLSearchParams(location.search).getAll("skip"));
// Decisions without a response of the server yet.
const unsent = new Set();
let line = Promise.resolve();
let stopSound = () => {};
let near = -1;

const idOf = (card) => card?.dataset.card;
const current = () => stage.querySelector("[data-card]");
const waitingCards = () => [...ahead.querySelectorAll("[data-card]")];
const known = () => [idOf(current()), ...waitingCards().map(idOf), ...unsent, ...skipped].filter(Boolean);

// --- showing cards ---
// `quiet` while the outcome of the last decision is not known: it is then announced with the next card.
// `returns` where the card comes back: the one that it replaces then waits again.
// Who listened to the last card's clip listens to this one's next; no sound of a card outlives it.
function put(node, { says = "", quiet = false, returns = false } = {}) {
  const last = current();
  const plays = player.playing && player.holds(idOf(last));
  const sounds = [...(last?.querySelectorAll("[data-play]") ?? [])];
  if (!plays && sounds.some((button) => player.holds(button.dataset.track))) player.pause();
  stopSound();
  stage.replaceChildren(node);
  if (returns && last && idOf(last) !== idOf(node)) ahead.prepend(last);
  near = -1;
  const card = current();
  const section = card?.querySelector("[data-sound]");
  stopSound = section ? startSound(section) : () => {};
  // Lets the player mark the buttons of the current sound on the new card.
  document.dispatchEvent(new CustomEvent("htmx:afterSettle"));
  if (!quiet) say(says);
  (card?.querySelector("h2") ?? document.getElementById("main")).focus({ preventScroll: true });
  if (plays) start(card);
}

// Announce the outcome for the last clip before the next one.
function say(text) {
  const now = current()?.dataset.announcement ?? (waits() ? "" : root.dataset.textEmpty);
  news.textContent = [text, now].filter(Boolean).join(" ");
}

function waits() {
  return Boolean(stage.querySelector(".spinner"));
}

function start(card) {
  const button = card?.querySelector("[data-main]");
  if (!button) return player.pause();
  const { play: url, title, track, duration } = button.dataset;
  return player.play({ url, title, track, duration: Number(duration ?? 0) });
}

const fromTemplate = (id) => document.getElementById(id).content.cloneNode(true);

function advance(says = "", busy = false) {
  const next = waitingCards()[0];
  if (next) put(next, { says, quiet: busy && !says });
  else if (busy) put(fromTemplate("review-wait"), { says });
  else showEmpty(says);
}

function showEmpty(says = "") {
  put(fromTemplate("review-empty"), { says });
  stage.querySelector("[data-skipped-again]")?.toggleAttribute("hidden", skipped.size === 0);
}

function parse(html) {
  const holder = document.createElement("template");
  holder.innerHTML = html;
  return holder.content.firstElementChild;
}

function take(answer) {
  const have = new Set(known());
  for (const html of answer.cards) {
    const card = parse(html);
    if (have.has(idOf(card)) || waitingCards().length >= AHEAD) continue;
    ahead.append(card);
  }
  standing.innerHTML = answer.standing;
  if (!current() && !unsent.size && (waits() || waitingCards().length)) advance();
}

// --- requests to the server, one after the other ---
async function send(url, body) {
  const headers = { Accept: "application/json", "X-CSRFToken": JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"] };
  const response = await fetch(url, body ? { method: "POST", body, headers } : { headers });
  if (response.redirected || response.status === 401 || response.status === 403) location.reload();
  const answer = await response.json();
  return { answer, status: response.status };
}

function queue(work) {
  line = line.then(work, work);
  return line;
}

function form(card, more) {
  const body = new FormData();
  body.set("of", source);
  body.set("seen", card?.querySelector("[name=seen]")?.value ?? "");
  for (const [name, value] of Object.entries(more)) body.set(name, value);
  return body;
}

function withKnown(body) {
  for (const id of known().slice(0, 100)) body.append("have", id);
  return body;
}

function decide(card, decision, reason = "") {
  const id = idOf(card);
  if (!id || unsent.has(id)) return;
  if (decision === "reject" && !reason.trim()) {
    card.querySelector("[data-own-reason]").focus();
    return;
  }
  unsent.add(id);
  const body = form(card, decision === "approve" ? { decision } : { decision, reason });
  const url = card.querySelector("[data-decide]").action;
  close(card);
  advance("", true);
  queue(async () => {
    try {
      const { answer, status } = await send(url, withKnown(body));
      unsent.delete(id);
      if (answer.error) {
        toast(answer.error.message, "bad");
        if (!answer.settled) comeBack(card);
      }
      take(answer);
      if (status < 400) say(answer.text);
    } catch {
      unsent.delete(id);
      toast(root.dataset.textOffline, "bad");
      comeBack(card);
    }
  });
}

function comeBack(card) {
  put(card, { returns: true });
}

function skip() {
  const card = current();
  if (!card) return;
  skipped.add(idOf(card));
  advance(root.dataset.textSkipped, true);
  fetchMore();
}

function fetchMore() {
  queue(async () => {
    const query = new URLSearchParams([["of", source], ...known().slice(0, 100).map((id) => ["have", id])]);
    try {
      const { answer } = await send(`${root.dataset.next}?${query}`);
      take(answer);
    } catch {
      if (waits()) showEmpty();
      toast(document.getElementById("toasts").dataset.offline, "bad");
    }
  });
}

function undo() {
  queue(async () => {
    const last = standing.querySelector("[data-undo]");
    if (!last) {
      toast(root.dataset.textNothing);
      return;
    }
    try {
      const { answer } = await send(last.action, withKnown(form(null, {})));
      if (answer.error) toast(answer.error.message, "bad");
      for (const html of answer.back ?? []) {
        const card = parse(html);
        skipped.delete(idOf(card));
        for (const other of waitingCards()) if (idOf(other) === idOf(card)) other.remove();
        put(card, { says: answer.text, returns: true });
      }
      take(answer);
    } catch {
      toast(document.getElementById("toasts").dataset.offline, "bad");
    }
  });
}

// --- panels ---
const panelOf = (card) => card?.querySelector(".review-panel.is-open");

function open(card, name) {
  const was = panelOf(card)?.dataset.panel;
  close(card);
  if (was === name) return;
  card.querySelector(`[data-panel="${name}"]`).classList.add("is-open");
  card.querySelector(`[data-open="${name}"]`).setAttribute("aria-expanded", "true");
  const panel = panelOf(card);
  panel.focus({ preventScroll: true });
  panel.scrollIntoView({ block: "nearest" });
}

function close(card, focus = false) {
  const panel = panelOf(card);
  if (!panel) return false;
  panel.classList.remove("is-open");
  const opener = card.querySelector(`[data-open="${panel.dataset.panel}"]`);
  opener.setAttribute("aria-expanded", "false");
  if (focus) opener.focus({ preventScroll: true });
  return true;
}

function help() {
  const dialog = document.getElementById("dialog");
  document.getElementById("dialog-content").replaceChildren(fromTemplate("review-keys"));
  dialog.showModal();
}

function playNear() {
  const buttons = [...(current()?.querySelectorAll(".review-near [data-play]") ?? [])];
  if (!buttons.length) return;
  near = (near + 1) % buttons.length;
  buttons[near].click();
}

// --- by mouse ---
// Ignore the second click of a double click, which would decide about the next card.
root.addEventListener(
  "click",
  (event) => {
    if (event.detail < 2 || !event.target.closest("[data-decide] button, [data-skip], [data-undo] button")) return;
    event.preventDefault();
    event.stopPropagation();
  },
  true,
);
document.addEventListener("submit", (event) => {
  if (event.target.matches("[data-undo]")) {
    event.preventDefault();
    undo();
  } else if (event.target.matches("[data-decide]")) {
    event.preventDefault();
    const button = event.submitter;
    const reason = button?.dataset.reason ?? event.target.elements.reason.value;
    decide(event.target.closest("[data-card]"), button?.value ?? "reject", reason);
  }
});
root.addEventListener("click", (event) => {
  const card = current();
  const opener = event.target.closest("[data-open]");
  if (opener) open(card, opener.dataset.open);
  else if (event.target.closest("[data-skip]")) {
    event.preventDefault();
    skip();
  } else if (event.target.closest("[data-help]")) help();
  else if (event.target.closest("[data-skipped-again]")) {
    skipped.clear();
    put(fromTemplate("review-wait"));
    fetchMore();
  }
});

// --- by keys ---
listen((key) => {
  const card = current();
  const panel = panelOf(card);
  if (key === "Escape") return close(card, true);
  if (panel) {
    const pick = panel.querySelector(`[data-pick-key="${CSS.escape(key)}"]`);
    if (pick) {
      decide(card, pick.value, pick.dataset.reason ?? "");
      return true;
    }
    if (key === "o" && panel.dataset.panel === "reject") {
      panel.querySelector("[data-own-reason]").focus();
      return true;
    }
    if (DECISIONS.has(key)) {
      toast(root.dataset.textPanel);
      return true;
    }
  }
  const acts = {
    a: () => card && decide(card, "approve"),
    l: () => card && open(card, "relabel"),
    r: () => card && open(card, "reject"),
    s: skip,
    u: undo,
    n: playNear,
    "?": help,
    " ": () => (card && player.holds(idOf(card)) ? player.toggle() : start(card)),
  };
  if (!(key in acts)) return false;
  acts[key]();
  return true;
});

if (current()) {
  const section = current().querySelector("[data-sound]");
  if (section) stopSound = startSound(section);
}
