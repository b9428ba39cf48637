// One time axis for the waveform, the genres and the pictures. It is a slider to the keyboard and to screen
// readers, a click anywhere on it plays from there, and one line runs across all of it.
import { player } from "../player.js";
import { clock } from "../player/clock.js";
import { heightName, Reader } from "./reader.js";
import { Ribbon } from "./ribbon.js";
import { drawRuler, label } from "./ruler.js";
import { Source } from "./source.js";
import { Tiles } from "./tiles.js";
import { Waveform } from "./waveform.js";
import { Zoom } from "./zoom.js";

const FINE = 0.02;
const COARSE = 0.1;
const SHORT = 20;
// Slices of the waveform where it is zoomed.
const FINEST = 24000;
const HEIGHT_STEP = 1 / 48;

export function startAxis(section, data) {
  const { url, title, track, href } = section.dataset;
  const part = (name) => section.querySelector(`[data-${name}]`);
  const names = ["axis", "lanes", "head", "hover", "cross", "bubble", "readout"];
  const [axis, lanes, head, hover, cross, bubble, readout] = names.map(part);
  const picture = section.querySelector(".lane-picture");
  const duration = Number(section.dataset.duration) || data.bounds.at(-1) || 0;
  const wave = new Waveform(part("wave"), data.peaks, duration);
  const ribbon = new Ribbon(part("ribbon"), data);
  const zoom = new Zoom(section, duration);
  const source = new Source(section, data.pictures, duration);
  const tiles = new Tiles(section, source, zoom, { colours: data.pictures.colours, duration });
  const reader = new Reader(source, data.pictures);
  const endings = new AbortController();
  const { signal } = endings;
  // The start position, until the player has loaded the sound.
  let waiting = 0;
  let shown = "";
  let announced = "";

  const mine = () => player.holds(track);
  const now = () => Math.min(mine() ? player.time : waiting, duration);
  const share = (seconds) => (duration > 0 ? Math.min(1, Math.max(0, seconds / duration)) : 0);
  // As fine as what is shown.
  const exact = (seconds) => {
    if (zoom.factor >= 16) return label(seconds, 0.05);
    return duration < SHORT || zoom.factor >= 4 ? label(seconds, 0.1) : clock(seconds);
  };

  // Rounded, as the page writes it, where the time that has passed is cut off.
  const whole = duration < SHORT ? label(duration, 0.1) : clock(Math.round(duration));

  function genres(seconds, count) {
    const likeliest = ribbon.at(seconds).slice(0, count);
    if (!likeliest.length) return section.dataset.textSilent;
    return likeliest.map(({ name, share: part }) => `${name} ${Math.round(part * 100)}\u202f%`).join(" · ");
  }

  // `moved` is whether the user moved: progress of the playback is not announced to screen readers.
  function show(moved = false) {
    const seconds = now();
    const at = share(seconds);
    head.style.setProperty("--at", String(at));
    wave.show(at);
    axis.classList.toggle("is-playing", mine() && player.playing);
    const words = section.dataset.textPosition.replace("{time}", exact(seconds)).replace("{duration}", whole);
    const likeliest = genres(seconds, 2);
    const value = `${words}, ${likeliest}`;
    if (value !== shown) {
      shown = value;
      readout.textContent = `${exact(seconds)} · ${likeliest}`;
    }
    const listening = mine() && player.playing && document.activeElement === axis;
    if (value !== announced && (moved || !listening)) {
      announced = value;
      axis.setAttribute("aria-valuenow", seconds.toFixed(1));
      axis.setAttribute("aria-valuetext", value);
    }
  }

  function play(seconds) {
    return player.play({ url, title: section.dataset.title || title, track, href, duration, at: seconds });
  }

  function move(seconds) {
    const to = Math.min(Math.max(0, seconds), duration);
    if (mine()) player.seek(to);
    else waiting = to;
    show(true);
    zoom.follow(share(to));
    readAtHead();
  }

  const shownPicture = () => tiles.panel?.dataset.picture ?? "spectrogram";
  const spacing = () => duration / lanes.clientWidth;

  // Tells what is at a moment and a height of the picture: at once its frequency, then its level.
  function read(seconds, y, before, done) {
    const name = shownPicture();
    const height = heightName(name, y, data.pictures);
    done(`${before} · ${height}`);
    reader.read(name, seconds, y, spacing(), (level) => done(`${before} · ${height} · ${level}`));
  }

  // By keyboard a line at this height reads the picture at the playhead.
  let heightAt = null;

  function readAtHead() {
    if (heightAt === null) return;
    const seconds = now();
    hover.hidden = false;
    hover.style.setProperty("--at", String(share(seconds)));
    cross.hidden = false;
    cross.style.setProperty("--y", String(heightAt));
    read(seconds, heightAt, exact(seconds), (words) => {
      bubble.textContent = words;
      axis.setAttribute("aria-valuetext", `${announced}, ${words}`);
    });
  }

  function raise(step) {
    heightAt = Math.min(1, Math.max(0, (heightAt ?? 0.5 - step) + step));
    readAtHead();
  }

  function pointed(event) {
    const box = axis.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  }

  axis.addEventListener("click", (event) => {
    play(pointed(event) * duration);
    show(true);
  });
  let latest = 0;
  axis.addEventListener("pointermove", (event) => {
    if (event.pointerType === "touch") return;
    const at = pointed(event);
    hover.hidden = false;
    hover.style.setProperty("--at", String(at));
    heightAt = null;
    const box = picture.getBoundingClientRect();
    const y = (box.bottom - event.clientY) / box.height;
    const over = y >= 0 && y <= 1;
    cross.hidden = !over;
    cross.style.setProperty("--y", String(y));
    latest += 1;
    const mark = latest;
    if (over) {
      read(at * duration, y, exact(at * duration), (words) => {
        if (mark === latest) bubble.textContent = words;
      });
    } else bubble.textContent = `${exact(at * duration)} · ${genres(at * duration, 2)}`;
    const room = part("scroll").getBoundingClientRect();
    hover.classList.toggle("is-left", event.clientX > (room.left + room.right) / 2);
  });
  const away = () => {
    latest += 1;
    heightAt = null;
    hover.hidden = true;
    cross.hidden = true;
  };
  axis.addEventListener("pointerleave", away);
  axis.addEventListener("blur", away);
  axis.addEventListener("keydown", (event) => {
    const fine = Math.min(5, Math.max(0.1, duration * FINE)) / zoom.factor;
    const moves = {
      ArrowRight: () => move(now() + fine),
      ArrowUp: () => (event.shiftKey ? raise(HEIGHT_STEP) : move(now() + fine)),
      ArrowLeft: () => move(now() - fine),
      ArrowDown: () => (event.shiftKey ? raise(-HEIGHT_STEP) : move(now() - fine)),
      PageUp: () => move(now() + duration * COARSE),
      PageDown: () => move(now() - duration * COARSE),
      Home: () => move(0),
      End: () => move(duration),
      " ": () => (mine() ? player.toggle() : play(waiting)),
      Enter: () => play(now()),
      "+": () => zoom.by(2),
      "=": () => zoom.by(2),
      "-": () => zoom.by(0.5),
      0: () => zoom.set(1),
    };
    const run = moves[event.key];
    if (!run || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    run();
  });

  for (const name of ["play", "pause", "time", "seek", "end"]) {
    const likeliest = (event) => {
      // The page's own play button starts the track too; forget the chosen position.
      if (mine()) waiting = 0;
      show();
      if (name === "time" && mine() && event.detail.playing) zoom.follow(share(now()));
    };
    document.addEventListener(`player:${name}`, likeliest, { signal });
  }

  let fine = false;
  zoom.changed = async () => {
    tiles.update();
    readAtHead();
    if (fine || zoom.factor === 1 || !(await source.load())) return;
    fine = true;
    wave.refine(await source.peaks(FINEST));
  };
  section.addEventListener("picture:shown", () => {
    tiles.update();
    readAtHead();
  });

  const ruler = part("ruler");
  const sizes = new ResizeObserver(() => drawRuler(ruler, duration, lanes.clientWidth));
  sizes.observe(lanes);
  show();

  return () => {
    endings.abort();
    sizes.disconnect();
    tiles.stop();
    source.stop();
    wave.stop();
  };
}
