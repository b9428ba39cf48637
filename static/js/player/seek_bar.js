// The slider of the player with the times at its sides: shows where the sound is, and moves in it.

import { clock } from "./clock.js";

export class SeekBar {
  #dragging = false;

  // `part` gives the elements of the bar by name; `leap` is what an arrow key moves, in seconds.
  constructor(part, player, leap) {
    this.part = part;
    this.player = player;
    const seek = part("seek");
    seek.addEventListener("input", () => {
      this.#dragging = true;
      this.draw();
    });
    seek.addEventListener("change", () => {
      this.#dragging = false;
      player.seek(Number(seek.value));
    });
    seek.addEventListener("keydown", (event) => {
      if (event.key === " " && !event.target.closest("button, a")) {
        event.preventDefault();
        player.toggle();
      } else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
        event.preventDefault();
        player.seek(player.time + (event.key === "ArrowRight" ? leap : -leap));
      }
    });
  }

  draw() {
    const seek = this.part("seek");
    const { time, duration } = this.player;
    seek.max = String(duration || 1);
    if (!this.#dragging) seek.value = String(time);
    const shown = this.#dragging ? Number(seek.value) : time;
    seek.style.setProperty("--played", duration ? String(shown / duration) : "0");
    seek.setAttribute("aria-valuetext", `${clock(shown)} / ${clock(duration)}`);
    this.part("time").textContent = clock(shown);
    this.part("duration").textContent = clock(duration);
  }
}
