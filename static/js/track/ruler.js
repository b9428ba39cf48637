// The marks of the time axis: as many as fit, at round times.
import { clock } from "../player/clock.js";

const STEPS = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200];
const ROOM = 48;

export function drawRuler(place, duration, width) {
  place.replaceChildren();
  if (!(duration > 0) || !(width > 0)) return;
  const step = STEPS.find((seconds) => (seconds / duration) * width >= ROOM) ?? STEPS.at(-1);
  const marks = document.createDocumentFragment();
  for (let n = 0; n * step < duration; n += 1) {
    const mark = document.createElement("span");
    mark.style.setProperty("--at", String((n * step) / duration));
    // The last one is left out where it would be cut off.
    if ((1 - (n * step) / duration) * width > ROOM / 2) mark.textContent = label(n * step, step);
    marks.append(mark);
  }
  place.append(marks);
}

export function label(seconds, step) {
  if (step >= 1) return clock(seconds);
  const digits = step < 0.1 ? 2 : 1;
  const parts = Math.round(seconds * 10 ** digits);
  const rest = String(parts % 10 ** digits).padStart(digits, "0");
  return `${clock(Math.floor(parts / 10 ** digits))}.${rest}`;
}
