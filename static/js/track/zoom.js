// Stretches the time axis inside its own scroller, up to 32 times, and keeps the playhead in view.

import { startPinch } from "./pinch.js";

const MOST = 32;
const FEWEST_SECONDS = 0.5;
// A drag of so many pixels is no click.
const DRAG = 4;
const SHOWN = new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: 1 });

export class Zoom {
  constructor(section, duration) {
    this.scroller = section.querySelector("[data-scroll]");
    this.lanes = section.querySelector("[data-lanes]");
    this.level = section.querySelector("[data-zoom-level]");
    this.buttons = [...section.querySelectorAll("[data-zoom-by]")];
    this.factor = 1;
    this.most = 1;
    this.changed = () => {};
    while (this.most < MOST && duration / (this.most * 2) >= FEWEST_SECONDS) this.most *= 2;
    section.querySelector("[data-zoom]").hidden = this.most === 1;
    for (const button of this.buttons) {
      button.addEventListener("click", () => this.by(Number(button.dataset.zoomBy)));
    }
    // Pinching on a touch pad is a turn of the wheel with the control key.
    this.scroller.addEventListener(
      "wheel",
      (event) => {
        if (!event.ctrlKey) return;
        event.preventDefault();
        this.turned = (this.turned ?? 0) + event.deltaY;
        if (Math.abs(this.turned) < 30) return;
        this.by(this.turned < 0 ? 2 : 0.5, event.clientX);
        this.turned = 0;
      },
      { passive: false },
    );
    this.#drag();
    this.#pinch();
    this.#show();
  }

  by(factor, clientX = null) {
    this.set(this.factor * factor, clientX);
  }

  // `clientX` stays where it is; else the playhead, if it is in view, else the middle.
  set(factor, clientX = null) {
    const { scroller } = this;
    const next = Math.min(this.most, Math.max(1, factor));
    if (next === this.factor) return;
    const box = scroller.getBoundingClientRect();
    const inside = (x) => x >= 0 && x <= scroller.clientWidth;
    let x = clientX === null ? scroller.clientWidth / 2 : clientX - box.left;
    const head = (this.head ?? 0) * scroller.scrollWidth - scroller.scrollLeft;
    if (clientX === null && inside(head)) x = head;
    const at = (scroller.scrollLeft + x) / scroller.scrollWidth;
    this.#place(next, at, x);
    this.changed();
  }

  // Stretches so that `at`, a share of the whole, lies `x` pixels from the left edge.
  #place(factor, at, x) {
    this.factor = factor;
    this.#show();
    this.scroller.scrollLeft = at * this.scroller.scrollWidth - x;
  }

  // `at` is a share of the whole. Scrolls by a page when the playhead leaves the visible part.
  follow(at) {
    const { scroller } = this;
    this.head = at;
    if (this.factor === 1 || this.dragged) return;
    const x = at * scroller.scrollWidth - scroller.scrollLeft;
    if (x >= 0 && x <= scroller.clientWidth) return;
    scroller.scrollLeft = at * scroller.scrollWidth - scroller.clientWidth * 0.1;
  }

  // With a mouse, what is zoomed is drawn along; fingers scroll by themselves.
  #drag() {
    const { scroller } = this;
    scroller.addEventListener("pointerdown", (event) => {
      if (event.pointerType !== "mouse" || event.button || this.factor === 1) return;
      const [from, left] = [event.clientX, scroller.scrollLeft];
      const move = (moved) => {
        if (!this.dragged && Math.abs(moved.clientX - from) < DRAG) return;
        this.dragged = true;
        scroller.classList.add("is-dragged");
        scroller.scrollLeft = left - (moved.clientX - from);
      };
      const end = () => {
        removeEventListener("pointermove", move);
        removeEventListener("pointerup", end);
        scroller.classList.remove("is-dragged");
        // The click that ends a drag plays nothing.
        setTimeout(() => (this.dragged = false));
      };
      addEventListener("pointermove", move);
      addEventListener("pointerup", end);
    });
    scroller.addEventListener(
      "click",
      (event) => {
        if (this.dragged) event.stopPropagation();
      },
      true,
    );
  }

  // Two fingers stretch the axis and draw it along; what was between them stays there.
  #pinch() {
    const { scroller } = this;
    let from = null;
    startPinch(scroller, {
      begin: (middle) => {
        if (this.most === 1) return false;
        const x = middle - scroller.getBoundingClientRect().left;
        from = { factor: this.factor, at: (scroller.scrollLeft + x) / scroller.scrollWidth };
        this.dragged = true;
        return true;
      },
      move: (middle, spread) => {
        const factor = Math.min(this.most, Math.max(1, from.factor * spread));
        this.#place(factor, from.at, middle - scroller.getBoundingClientRect().left);
      },
      // Pictures are computed where the fingers rest.
      rest: () => this.changed(),
      end: () => {
        setTimeout(() => (this.dragged = false));
        this.changed();
      },
    });
  }

  #show() {
    this.lanes.style.setProperty("--zoom", String(this.factor));
    this.level.textContent = `${SHOWN.format(this.factor)}×`;
    for (const button of this.buttons) {
      button.disabled = Number(button.dataset.zoomBy) < 1 ? this.factor === 1 : this.factor === this.most;
    }
  }
}
