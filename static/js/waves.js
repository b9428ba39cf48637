// Small waveforms of tracks in lists, coloured by genre over time: one request for all that are on the page.
import { player } from "./player.js";

const HEIGHT = 100;
const WIDTH = 10;
const GAP = 3;
const AT_ONCE = 60;
const SVG = "http://www.w3.org/2000/svg";

const known = new Map();

function draw(holder, { bars, colours, places }) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${bars.length * WIDTH} ${HEIGHT}`);
  svg.setAttribute("preserveAspectRatio", "none");
  const paths = new Map();
  bars.forEach((height, at) => {
    const tall = Math.max(4, height);
    const [x, y] = [at * WIDTH, (HEIGHT - tall) / 2];
    const d = `M${x} ${y}h${WIDTH - GAP}v${tall}h${GAP - WIDTH}z`;
    paths.set(places[at], (paths.get(places[at]) ?? "") + d);
  });
  for (const [genre, d] of paths) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    path.style.setProperty("--genre", genre < 0 ? "var(--line-strong)" : colours[genre]);
    svg.append(path);
  }
  holder.replaceChildren(svg);
  holder.dataset.drawn = "";
}

async function fill() {
  const empty = [...document.querySelectorAll("[data-wave]:not([data-drawn])")];
  const missing = [...new Set(empty.map((holder) => holder.dataset.wave))].filter((track) => !known.has(track));
  for (let at = 0; at < missing.length; at += AT_ONCE) {
    const asked = missing.slice(at, at + AT_ONCE);
    const query = new URLSearchParams(asked.map((track) => ["track", track]));
    try {
      const response = await fetch(`${document.body.dataset.waves}?${query}`);
      if (!response.ok) return;
      const found = await response.json();
      for (const track of asked) known.set(track, found[track] ?? null);
    } catch {
      // Without them a list is as useful.
      return;
    }
  }
  for (const holder of document.querySelectorAll("[data-wave]:not([data-drawn])")) {
    const wave = known.get(holder.dataset.wave);
    if (wave) draw(holder, wave);
  }
}

// A row that htmx has replaced may show another analysis.
document.addEventListener("htmx:oobAfterSwap", (event) => {
  const id = event.detail.elt?.querySelector?.("[data-wave]")?.dataset.wave;
  known.delete(id);
  fill();
});
document.addEventListener("htmx:afterSettle", fill);

document.addEventListener("click", (event) => {
  const holder = event.target.closest("[data-wave]");
  const button = holder?.parentElement.querySelector("[data-play]");
  if (!button) return;
  const { track, duration } = button.dataset;
  const box = holder.getBoundingClientRect();
  if (!player.holds(track)) button.click();
  player.seek(((event.clientX - box.left) / box.width) * Number(duration ?? player.duration));
  if (!player.playing) player.toggle();
});
fill();
