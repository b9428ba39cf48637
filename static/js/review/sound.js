// The sound of a card: its outline, and one axis across outline and picture. A click plays from there.
import { player } from "../player.js";
import { clock } from "../player/clock.js";
import { Waveform } from "../track/waveform.js";

const FINE = 0.02;
const COARSE = 0.1;

export function startSound(section) {
  const { url, title, track, textPosition } = section.dataset;
  const duration = Number(section.dataset.duration) || 0;
  const outline = section.querySelector("[data-wave]");
  if (!outline) return () => {};
  const wave = new Waveform(outline, section.dataset.peaks.split(",").map(Number), duration);
  const axis = section.querySelector("[data-axis]");
  if (!axis) return () => wave.stop();
  const head = section.querySelector("[data-head]");
  const endings = new AbortController();
  const { signal } = endings;
  // The start position, until the player has loaded the sound.
  let waiting = 0;

  const mine = () => player.holds(track);
  const now = () => Math.min(mine() ? player.time : waiting, duration);

  // Progress of the playback is not announced to screen readers.
  function show(moved = false) {
    const share = duration > 0 ? now() / duration : 0;
    head.style.setProperty("--at", String(share));
    wave.show(share);
    if (!moved && mine() && player.playing) return;
    axis.setAttribute("aria-valuenow", now().toFixed(1));
    axis.setAttribute(
      "aria-valuetext",
      textPosition.replace("{time}", clock(now())).replace("{duration}", clock(Math.round(duration))),
    );
  }

  function move(seconds) {
    const to = Math.min(Math.max(0, seconds), duration);
    if (mine()) player.seek(to);
    else waiting = to;
    show(true);
  }

  axis.addEventListener("click", (event) => {
    const box = axis.getBoundingClientRect();
    const at = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * duration;
    player.play({ url, title, track, duration, at });
    show(true);
  });
  axis.addEventListener("keydown", (event) => {
    const fine = Math.max(0.1, duration * FINE);
    const moves = {
      ArrowRight: () => move(now() + fine),
      ArrowUp: () => move(now() + fine),
      ArrowLeft: () => move(now() - fine),
      ArrowDown: () => move(now() - fine),
      PageUp: () => move(now() + duration * COARSE),
      PageDown: () => move(now() - duration * COARSE),
      Home: () => move(0),
      End: () => move(duration),
    };
    const run = moves[event.key];
    if (!run || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    run();
  });
  for (const name of ["play", "pause", "time", "seek", "end"]) {
    document.addEventListener(`player:${name}`, () => show(), { signal });
  }
  show(true);

  return () => {
    endings.abort();
    wave.stop();
  };
}
