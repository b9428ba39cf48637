// Choosing the part of a track to contribute, in the dialog on its page or on a page of its own.
import { player } from "../player.js";
import { Cutter } from "./cutter.js";

const running = new Map();

function start(root) {
  for (const place of root.querySelectorAll("[data-cut][data-track]")) {
    if (running.has(place)) continue;
    const { url, title, track } = place.dataset;
    const peaks = JSON.parse(place.querySelector("#cut-peaks").textContent);
    const cutter = new Cutter(place, {
      sound: async () => ({ peaks, duration: Number(place.dataset.duration) }),
      play: (at) => {
        player.play({ url, title, track, at });
        return url;
      },
    });
    place.closest("form").addEventListener("submit", (event) => {
      if (!cutter.check()) event.preventDefault();
    });
    running.set(place, cutter);
  }
}

function sweep() {
  for (const [place, cutter] of running) {
    if (place.isConnected) continue;
    cutter.stop();
    running.delete(place);
  }
}

// A request with invalid times is not sent: the fields are marked.
document.addEventListener("htmx:confirm", (event) => {
  const place = event.target.querySelector?.("[data-cut][data-track]");
  if (place && running.has(place) && !running.get(place).check()) event.preventDefault();
});
document.addEventListener("htmx:load", (event) => {
  sweep();
  start(event.detail.elt.parentElement ?? document);
});
start(document);
