// The spectrum of what sounds, as bars on a logarithmic axis. With reduced motion it is drawn once and stands still.

const LOWEST = 50;
const HIGHEST = 16000;
const FLOOR = -90;
const CEILING = -20;
const still = matchMedia("(prefers-reduced-motion: reduce)");

export class Spectrum {
  // `awake` tells whether there is anything to draw.
  constructor(canvas, awake) {
    Object.assign(this, { canvas, awake, analyser: null, frame: 0, levels: null });
  }

  connect(analyser) {
    this.analyser = analyser;
    this.levels = new Float32Array(analyser.frequencyBinCount);
    this.start();
  }

  start() {
    if (this.frame || !this.analyser) return;
    if (still.matches) {
      // Enough has sounded then for a picture.
      setTimeout(() => this.#draw(), 400);
      return;
    }
    const tick = () => {
      this.frame = 0;
      if (!this.awake()) return this.clear();
      this.#draw();
      this.frame = requestAnimationFrame(tick);
      return undefined;
    };
    this.frame = requestAnimationFrame(tick);
  }

  clear() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    this.canvas.getContext("2d").clearRect(0, 0, this.canvas.width, this.canvas.height);
    delete this.canvas.dataset.loudest;
  }

  #draw() {
    const { canvas, analyser, levels } = this;
    if (!this.awake() || !canvas.clientWidth) return;
    const scale = devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (canvas.width !== Math.round(width * scale)) canvas.width = Math.round(width * scale);
    if (canvas.height !== Math.round(height * scale)) canvas.height = Math.round(height * scale);
    const context = canvas.getContext("2d");
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    context.fillStyle = getComputedStyle(canvas).color;
    analyser.getFloatFrequencyData(levels);
    const bars = Math.max(12, Math.min(96, Math.floor(width / 7)));
    const bin = analyser.context.sampleRate / analyser.fftSize;
    let loudest = 0;
    for (let bar = 0; bar < bars; bar += 1) {
      const from = LOWEST * (HIGHEST / LOWEST) ** (bar / bars);
      const to = LOWEST * (HIGHEST / LOWEST) ** ((bar + 1) / bars);
      let level = -Infinity;
      for (let at = Math.floor(from / bin); at <= Math.min(levels.length - 1, to / bin); at += 1) {
        level = Math.max(level, levels[at]);
      }
      const share = Math.min(1, Math.max(0, (level - FLOOR) / (CEILING - FLOOR)));
      loudest = Math.max(loudest, share);
      const tall = share * height;
      context.fillRect((bar / bars) * width + 1, height - tall, width / bars - 2, tall);
    }
    canvas.dataset.loudest = loudest.toFixed(2);
  }
}
