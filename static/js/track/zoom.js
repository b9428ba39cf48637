// Stretches the time axis inside its own scroller, and keeps the playhead in view.

const MOST = 16;
const FEWEST_SECONDS = 5;
// At a greater width, waveform and pictures show no more detail.
const WIDEST_SLICE = 4;

export class Zoom {
  // `slices` is the number of slices of the waveform.
  constructor(section, duration, slices) {
    this.scroller = section.querySelector("[data-scroll]");
    this.lanes = section.querySelector("[data-lanes]");
    this.level = section.querySelector("[data-zoom-level]");
    this.buttons = [...section.querySelectorAll("[data-zoom-by]")];
    this.factor = 1;
    this.most = 1;
    const fits = (factor) =>
      duration / factor >= FEWEST_SECONDS && this.scroller.clientWidth * factor <= slices * WIDEST_SLICE;
    while (this.most < MOST && fits(this.most * 2)) this.most *= 2;
    section.querySelector("[data-zoom]").hidden = this.most === 1;
    for (const button of this.buttons) {
      button.addEventListener("click", () => this.set(this.factor * Number(button.dataset.zoomBy)));
    }
    this.#show();
  }

  set(factor) {
    const { scroller } = this;
    const middle = (scroller.scrollLeft + scroller.clientWidth / 2) / scroller.scrollWidth;
    this.factor = Math.min(this.most, Math.max(1, factor));
    this.#show();
    scroller.scrollLeft = middle * scroller.scrollWidth - scroller.clientWidth / 2;
  }

  // `at` is a share of the whole. Scrolls by a page when the playhead leaves the visible part.
  follow(at) {
    const { scroller } = this;
    if (this.factor === 1) return;
    const x = at * scroller.scrollWidth - scroller.scrollLeft;
    if (x >= 0 && x <= scroller.clientWidth) return;
    scroller.scrollLeft = at * scroller.scrollWidth - scroller.clientWidth * 0.1;
  }

  #show() {
    this.lanes.style.setProperty("--zoom", String(this.factor));
    this.level.textContent = `${this.factor}×`;
    for (const button of this.buttons) {
      const next = this.factor * Number(button.dataset.zoomBy);
      button.disabled = next < 1 || next > this.most;
    }
  }
}
