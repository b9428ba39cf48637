// The page of the map: fetches the points, and ties the drawing to the legend, the search, the list beside it, the
// player and the choice of tracks for a playlist.

import { Surface } from "./map/surface.js";
import { player } from "./player.js";
import { fetchSounds } from "./player/sounds.js";
import { toast } from "./site.js";

const LISTED = 25;
const DWELL = 350;
const CALM = 300;
const ASK_AGAIN = [2000, 4000, 8000, 15000];

const root = document.getElementById("map");
const words = root.dataset;
const part = (name) => root.querySelector(`[data-map="${name}"]`);
const surface = new Surface(part("canvas"));
const hidden = new Set();
let points = [];
let genres = [];
let asked = 0;
let dwell = 0;
let calm = 0;

const say = (text, values) => text.replace(/%\((\w+)\)s/g, (_all, name) => values[name]);
const pageOf = (point) => words.page.replace("00000000-0000-0000-0000-000000000000", points[point][0]);
const genreOf = (point) => genres[points[point][3]]?.name ?? words.noGenre;

async function load() {
  let answer;
  try {
    const response = await fetch(words.url, { headers: { Accept: "application/json" } });
    if (!response.ok) throw new Error(`the map was refused: ${response.status}`);
    answer = await response.json();
  } catch {
    part("state").textContent = words.failed;
    return;
  }
  if (!answer.ready) {
    setTimeout(load, ASK_AGAIN[Math.min(asked, ASK_AGAIN.length - 1)]);
    asked += 1;
    return;
  }
  ({ points, genres } = answer);
  part("state").textContent = answer.left_out ? say(words.leftOut, { count: answer.left_out.toLocaleString() }) : "";
  part("empty").hidden = points.length > 0;
  part("body").hidden = points.length === 0;
  surface.fill({
    xs: Float32Array.from(points, (point) => point[1]),
    ys: Float32Array.from(points, (point) => point[2]),
    kinds: Int16Array.from(points, (point) => point[3]),
    colours: genres.map((genre) => genre.colour),
  });
  surface.measure();
  legend();
  root.dataset.ready = String(points.length);
}

function legend() {
  const counts = new Map();
  for (const point of points) counts.set(point[3], (counts.get(point[3]) ?? 0) + 1);
  const kinds = [...genres.keys(), ...(counts.has(-1) ? [-1] : [])];
  part("legend").replaceChildren(
    ...kinds.map((kind) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "chip";
      button.setAttribute("aria-pressed", "true");
      const spot = document.createElement("span");
      spot.className = "genre-dot";
      if (kind >= 0) button.style.setProperty("--genre", genres[kind].colour);
      const count = document.createElement("span");
      count.className = "genre-share";
      count.textContent = counts.get(kind) ?? 0;
      button.append(spot, kind < 0 ? words.noGenre : genres[kind].name, " ", count);
      button.addEventListener("click", () => {
        if (!hidden.delete(kind)) hidden.add(kind);
        button.setAttribute("aria-pressed", String(!hidden.has(kind)));
        surface.mark({ shown: Uint8Array.from(points, (point) => Number(!hidden.has(point[3]))) });
        list();
      });
      return button;
    }),
  );
}

function search() {
  const sought = part("search").value.trim().toLocaleLowerCase().split(/\s+/).filter(Boolean);
  const fits = (point) => sought.every((word) => point[4].toLocaleLowerCase().includes(word));
  surface.mark({ lit: sought.length ? Uint8Array.from(points, (point) => Number(fits(point))) : null });
  list();
}

function choose(found) {
  const chosen = new Uint8Array(points.length);
  for (const point of found) chosen[point] = 1;
  surface.mark({ chosen: found.length ? chosen : null });
  list();
}

// What the list and the playlist are made of: what was chosen, else what is in view; of these what is looked for.
function current() {
  const among = surface.chosen ? points.keys() : surface.inView();
  return [...among].filter((point) => surface.shown[point] && surface.isPicked(point));
}

function list() {
  clearTimeout(calm);
  calm = setTimeout(relist, CALM);
}

function relist() {
  if (!points.length) return;
  const found = current();
  const text = surface.chosen ? words.chosen : words.inView;
  part("count").textContent = say(text, { count: found.length.toLocaleString() });
  part("more").textContent = found.length > LISTED ? say(words.first, { count: LISTED }) : "";
  part("list").replaceChildren(...found.slice(0, LISTED).map(row));
  part("clear").hidden = !surface.chosen;
  const form = part("playlist");
  if (!form) return;
  const taken = found.slice(0, Number(words.most));
  form.hidden = !surface.chosen || !taken.length;
  part("make").textContent = say(words.make, { count: taken.length });
  part("limit").textContent = taken.length < found.length ? say(words.limit, { count: taken.length }) : "";
  part("tracks").replaceChildren(
    ...(form.hidden ? [] : taken).map((point) => {
      const field = document.createElement("input");
      Object.assign(field, { type: "hidden", name: "track", value: points[point][0] });
      return field;
    }),
  );
}

function row(point) {
  const item = document.getElementById("map-row").content.cloneNode(true);
  const link = item.querySelector("a");
  link.href = pageOf(point);
  link.textContent = points[point][4];
  item.querySelector("[data-genre-name]").textContent = genreOf(point);
  const genre = genres[points[point][3]];
  if (genre) item.querySelector("li").style.setProperty("--genre", genre.colour);
  const button = item.querySelector("button");
  button.setAttribute("aria-label", say(words.playLabel, { title: points[point][4] }));
  button.addEventListener("click", () => hear(point, true));
  item.querySelector("li").addEventListener("pointerenter", () => surface.point(point));
  return item;
}

// What is only pointed at is played once and does not enter the queue.
async function hear(point, queued) {
  try {
    const [sound] = await fetchSounds([points[point][0]]);
    if (!sound) throw new Error("the sound is gone");
    if (queued || surface.pointed === point) player.play(queued ? sound : { ...sound, track: "" });
  } catch {
    toast(words.silent, "bad");
  }
}

function pointedAt(point) {
  clearTimeout(dwell);
  const tip = part("tip");
  tip.hidden = point < 0;
  surface.canvas.classList.toggle("is-pointing", point >= 0);
  if (point < 0) return;
  tip.querySelector("strong").textContent = points[point][4];
  tip.querySelector("span").textContent = genreOf(point);
  const left = Math.min(Math.max(0, surface.px(point) + 14), Math.max(0, surface.width - tip.offsetWidth));
  const below = surface.py(point) + 14;
  const top = below + tip.offsetHeight < surface.height ? below : surface.py(point) - tip.offsetHeight - 14;
  tip.style.setProperty("--left", `${left}px`);
  tip.style.setProperty("--top", `${Math.max(0, top)}px`);
  if (part("hear").checked) dwell = setTimeout(() => hear(point, false), DWELL);
}

surface.canvas.addEventListener("map:point", ({ detail }) => pointedAt(detail.point));
surface.canvas.addEventListener("map:open", ({ detail }) => location.assign(pageOf(detail.point)));
surface.canvas.addEventListener("map:view", list);
surface.canvas.addEventListener("map:lasso", ({ detail }) => choose(detail.points));
part("in").addEventListener("click", () => surface.zoomBy(1.5));
part("out").addEventListener("click", () => surface.zoomBy(1 / 1.5));
part("all").addEventListener("click", () => surface.home());
part("search").addEventListener("input", search);
part("lasso").addEventListener("click", () => {
  surface.lassoing = !surface.lassoing;
  part("lasso").setAttribute("aria-pressed", String(surface.lassoing));
});
part("view").addEventListener("click", () => choose(current()));
part("clear").addEventListener("click", () => choose([]));

load();
