// Pieces of the shown picture over the stored one, computed for the zoom: sharp at every level.

const WIDTH = 512;
const MOST = 48;

export class Tiles {
  constructor(section, source, zoom, { colours, duration }) {
    Object.assign(this, { section, source, zoom, duration, colours: palette(colours) });
    this.made = new Map();
    this.frame = 0;
    this.onView = () => this.update();
    zoom.scroller.addEventListener("scroll", this.onView, { passive: true });
  }

  update() {
    if (!this.frame) this.frame = requestAnimationFrame(() => this.#fill());
  }

  stop() {
    cancelAnimationFrame(this.frame);
    this.zoom.scroller.removeEventListener("scroll", this.onView);
  }

  get panel() {
    return this.section.querySelector('.lane-picture [role="tabpanel"]:not([hidden])');
  }

  async #fill() {
    this.frame = 0;
    const { zoom, panel } = this;
    const name = panel?.dataset.picture;
    for (const [key, canvas] of this.made) {
      if (canvas && Number(key.split("/")[1]) !== zoom.factor) this.#drop(key);
    }
    if (zoom.factor === 1 || !panel?.dataset.tiles || !(await this.source.load())) return;
    const { scrollLeft, clientWidth, scrollWidth } = zoom.scroller;
    const first = Math.max(0, Math.floor((scrollLeft - clientWidth / 2) / WIDTH));
    const last = Math.min(Math.ceil(scrollWidth / WIDTH) - 1, Math.floor((scrollLeft + clientWidth * 1.5) / WIDTH));
    // What is in view comes first.
    const middle = (scrollLeft + clientWidth / 2) / WIDTH - 0.5;
    const places = Array.from({ length: last - first + 1 }, (_, i) => first + i);
    places.sort((a, b) => Math.abs(a - middle) - Math.abs(b - middle));
    for (const place of places) this.#make(panel, name, zoom.factor, place, scrollWidth);
    for (const key of [...this.made.keys()].slice(0, Math.max(0, this.made.size - MOST))) this.#drop(key);
  }

  #drop(key) {
    this.made.get(key)?.remove();
    this.made.delete(key);
  }

  async #make(panel, name, factor, place, scrollWidth) {
    const key = `${name}/${factor}/${place}`;
    if (this.made.has(key)) return;
    this.made.set(key, null);
    const width = Math.min(WIDTH, scrollWidth - place * WIDTH);
    const seconds = (x) => (x / scrollWidth) * this.duration;
    const { levels, rows } = await this.source.tile(name, seconds(place * WIDTH), seconds(place * WIDTH + width), width);
    // Meanwhile it may have been zoomed on.
    if (!this.made.has(key)) return;
    if (this.zoom.factor !== factor || !panel.isConnected) {
      this.made.delete(key);
      return;
    }
    const canvas = document.createElement("canvas");
    canvas.className = `tile${rows < 64 ? " is-coarse" : ""}`;
    [canvas.width, canvas.height] = [width, rows];
    const context = canvas.getContext("2d");
    const image = context.createImageData(width, rows);
    const pixels = new Uint32Array(image.data.buffer);
    for (let i = 0; i < levels.length; i += 1) pixels[i] = this.colours[levels[i]];
    context.putImageData(image, 0, 0);
    canvas.style.setProperty("--from", String((place * WIDTH) / scrollWidth));
    canvas.style.setProperty("--width", String(width / scrollWidth));
    this.made.set(key, canvas);
    panel.append(canvas);
  }
}

// 256 colours between the anchors, as pixels.
function palette(anchors) {
  const colours = new Uint32Array(256);
  const view = new DataView(colours.buffer);
  for (let level = 0; level < 256; level += 1) {
    const at = (level / 255) * (anchors.length - 1);
    const low = Math.min(anchors.length - 2, Math.floor(at));
    anchors[low].forEach((value, channel) => {
      view.setUint8(level * 4 + channel, Math.round(value + (anchors[low + 1][channel] - value) * (at - low)));
    });
    view.setUint8(level * 4 + 3, 255);
  }
  return colours;
}
