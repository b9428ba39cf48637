// The waveform of the last seconds from the microphone, drawn from right to left.

const STEP = 60;
const BAR = 3;
const GAP = 2;

export class Wave {
  constructor(canvas) {
    this.canvas = canvas;
    this.peaks = [];
    this.peak = 0;
    this.last = 0;
    new ResizeObserver(() => this.draw()).observe(canvas);
    document.addEventListener("theme:change", () => this.draw());
  }

  clear() {
    this.peaks = [];
    this.peak = 0;
    this.draw();
  }

  // Adds a peak (0 to 1) and keeps the highest of every 60 ms.
  add(peak, now) {
    this.peak = Math.max(this.peak, peak);
    if (now - this.last < STEP) return;
    this.last = now;
    this.peaks.push(this.peak);
    this.peak = 0;
    this.draw();
  }

  draw() {
    const scale = devicePixelRatio || 1;
    const { clientWidth: width, clientHeight: height } = this.canvas;
    this.canvas.width = Math.round(width * scale);
    this.canvas.height = Math.round(height * scale);
    const context = this.canvas.getContext("2d");
    context.scale(scale, scale);
    const style = getComputedStyle(this.canvas);
    const fits = Math.ceil(width / (BAR + GAP));
    if (this.peaks.length > fits) this.peaks.splice(0, this.peaks.length - fits);
    // A baseline where there is no sound yet.
    context.fillStyle = style.borderColor;
    for (let left = width - (BAR + GAP) * (this.peaks.length + 1); left > -BAR; left -= BAR + GAP) {
      context.fillRect(left, height / 2 - 1, BAR, 2);
    }
    context.fillStyle = style.color;
    this.peaks.forEach((peak, index) => {
      // The square root shows quiet music too.
      const tall = Math.max(BAR, Math.sqrt(peak) * (height - 12));
      const left = width - (this.peaks.length - index) * (BAR + GAP);
      context.beginPath();
      context.roundRect(left, (height - tall) / 2, BAR, tall, BAR / 2);
      context.fill();
    });
  }
}
