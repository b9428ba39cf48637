// One time axis for the waveform, the genres and the pictures. It is a slider to the keyboard and to screen
// readers, a click anywhere on it plays from there, and one line runs across all of it.
import { clock, player } from "../player.js";
import { Ribbon } from "./ribbon.js";
import { drawRuler, label } from "./ruler.js";
import { Waveform } from "./waveform.js";
import { Zoom } from "./zoom.js";

const FINE = 0.02;
const COARSE = 0.1;
const SHORT = 20;

export function startAxis(section, data) {
  const { url, title, track, href } = section.dataset;
  const part = (name) => section.querySelector(`[data-${name}]`);
  const [axis, lanes, head, hover, bubble, readout] = ["axis", "lanes", "head", "hover", "bubble", "readout"].map(part);
  const duration = Number(section.dataset.duration) || data.bounds.at(-1) || 0;
  const wave = new Waveform(part("wave"), data.peaks, duration);
  const ribbon = new Ribbon(part("ribbon"), data);
  const zoom = new Zoom(section, duration, data.peaks.length / 2);
  const endings = new AbortController();
  const { signal } = endings;
  // The start position, until the player has loaded the sound.
  let waiting = 0;
  let shown = "";
  let announced = "";

  const mine = () => player.holds(track);
  const now = () => Math.min(mine() ? player.time : waiting, duration);
  const share = (seconds) => (duration > 0 ? Math.min(1, Math.max(0, seconds / duration)) : 0);
  const exact = (seconds) => (duration < SHORT ? label(seconds, 0.1) : clock(seconds));

  // Rounded, as the page writes it, where the time that has passed is cut off.
  const whole = duration < SHORT ? exact(duration) : clock(Math.round(duration));

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
    return player.play({ url, title: section.dataset.title || title, track, href, at: seconds });
  }

  function move(seconds) {
    const to = Math.min(Math.max(0, seconds), duration);
    if (mine()) player.seek(to);
    else waiting = to;
    show(true);
    zoom.follow(share(to));
  }

  function pointed(event) {
    const box = axis.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  }

  axis.addEventListener("click", (event) => {
    play(pointed(event) * duration);
    show(true);
  });
  axis.addEventListener("pointermove", (event) => {
    if (event.pointerType === "touch") return;
    const at = pointed(event);
    hover.hidden = false;
    hover.style.setProperty("--at", String(at));
    bubble.textContent = `${exact(at * duration)} · ${genres(at * duration, 2)}`;
    const room = part("scroll").getBoundingClientRect();
    hover.classList.toggle("is-left", event.clientX > (room.left + room.right) / 2);
  });
  axis.addEventListener("pointerleave", () => {
    hover.hidden = true;
  });
  axis.addEventListener("keydown", (event) => {
    const fine = Math.min(5, Math.max(0.1, duration * FINE));
    const moves = {
      ArrowRight: () => move(now() + fine),
      ArrowUp: () => move(now() + fine),
      ArrowLeft: () => move(now() - fine),
      ArrowDown: () => move(now() - fine),
      PageUp: () => move(now() + duration * COARSE),
      PageDown: () => move(now() - duration * COARSE),
      Home: () => move(0),
      End: () => move(duration),
      " ": () => (mine() ? player.toggle() : play(waiting)),
      Enter: () => play(now()),
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

  const ruler = part("ruler");
  const sizes = new ResizeObserver(() => drawRuler(ruler, duration, lanes.clientWidth));
  sizes.observe(lanes);
  show();

  return () => {
    endings.abort();
    sizes.disconnect();
    wave.stop();
  };
}
