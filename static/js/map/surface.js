// The drawn map: points, pan and zoom, what is pointed at, and the lasso.
//
// It is a 2-D canvas. Libraries that draw such maps with WebGL (regl and what is built on it) compile their code
// with new Function, which the content security policy forbids. Ten thousand points are stamped onto a canvas that is
// not on the page in a few milliseconds, and only when the view or the choice of points changes; the pointer
// costs one copy of it.
//
// Events on the canvas: map:point {point or -1}, map:open {point}, map:view, map:lasso {points}.

const MOST_ZOOM = 200;
const NEAR = 12;
const STEP = 1.5;
const PAN = 0.15;
// A press that moves less than this is a click.
const STILL = 4;
// Where stamping takes longer than this many milliseconds, a moving view shows what was stamped, moved along, and is
// stamped again once it rests.
const QUICK = 10;
const REST = 90;

export class Surface {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.layer = document.createElement("canvas");
    this.xs = this.ys = new Float32Array();
    this.kinds = new Int16Array();
    this.colours = [];
    this.shown = this.lit = this.chosen = null;
    this.pointed = -1;
    this.lassoing = false;
    this.line = null;
    this.pointers = new Map();
    this.moved = 0;
    this.frame = 0;
    this.stale = true;
    this.cost = this.resting = 0;
    this.home(false);
    new ResizeObserver(() => this.measure()).observe(canvas);
    document.addEventListener("theme:change", () => this.changed());
    this.listen();
    this.measure();
  }

  // `kinds` are places in `colours`; where there is none, the colour of what has no genre is taken.
  fill({ xs, ys, kinds, colours }) {
    Object.assign(this, { xs, ys, kinds, colours, pointed: -1 });
    this.shown = new Uint8Array(xs.length).fill(1);
    this.lit = this.chosen = null;
    this.changed();
  }

  // Each is null or has one byte for each point.
  mark({ shown = this.shown, lit = this.lit, chosen = this.chosen }) {
    Object.assign(this, { shown, lit, chosen });
    if (this.pointed >= 0 && !shown[this.pointed]) this.point(-1);
    this.changed();
  }

  home(tell = true) {
    Object.assign(this, { zoom: 1, cx: 0.5, cy: 0.5 });
    if (tell) this.looked();
  }

  zoomBy(factor, px = this.width / 2, py = this.height / 2) {
    const zoom = Math.min(MOST_ZOOM, Math.max(1, this.zoom * factor));
    // What is under the pointer stays there.
    const [x, y] = this.placeOf(px, py);
    this.zoom = zoom;
    this.cx = x - (px - this.width / 2) / (this.width * zoom);
    this.cy = y + (py - this.height / 2) / (this.height * zoom);
    this.looked();
  }

  panBy(dx, dy) {
    this.cx -= dx / (this.width * this.zoom);
    this.cy += dy / (this.height * this.zoom);
    this.looked();
  }

  inView() {
    const found = [];
    for (let i = 0; i < this.xs.length; i += 1) {
      if (!this.shown[i]) continue;
      const px = this.px(i);
      const py = this.py(i);
      if (px >= 0 && py >= 0 && px <= this.width && py <= this.height) found.push(i);
    }
    return found;
  }

  px(i) {
    return (this.xs[i] - this.cx) * this.width * this.zoom + this.width / 2;
  }

  py(i) {
    return (this.cy - this.ys[i]) * this.height * this.zoom + this.height / 2;
  }

  placeOf(px, py) {
    const x = this.cx + (px - this.width / 2) / (this.width * this.zoom);
    return [x, this.cy - (py - this.height / 2) / (this.height * this.zoom)];
  }

  nearest(px, py, within) {
    // One look at ten thousand points takes less than a tenth of a millisecond: no index is needed.
    let best = -1;
    let least = within * within;
    for (let i = 0; i < this.xs.length; i += 1) {
      if (!this.shown[i]) continue;
      const dx = this.px(i) - px;
      const dy = this.py(i) - py;
      const squared = dx * dx + dy * dy;
      if (squared < least) [best, least] = [i, squared];
    }
    return best;
  }

  point(i) {
    if (i === this.pointed) return;
    this.pointed = i;
    this.tell("point", { point: i });
    this.draw();
  }

  tell(name, detail = {}) {
    this.canvas.dispatchEvent(new CustomEvent(`map:${name}`, { detail }));
  }

  looked() {
    this.cx = Math.min(1, Math.max(0, this.cx));
    this.cy = Math.min(1, Math.max(0, this.cy));
    if (this.byKeys) this.point(this.nearest(this.width / 2, this.height / 2, Infinity));
    if (this.cost > QUICK) {
      clearTimeout(this.resting);
      this.resting = setTimeout(() => this.changed(), REST);
      this.draw();
    } else {
      this.changed();
    }
    this.tell("view");
  }

  changed() {
    this.stale = true;
    this.draw();
  }

  draw() {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      if (this.stale) this.stamp();
      this.show();
    });
  }

  measure() {
    const { clientWidth, clientHeight } = this.canvas;
    this.width = Math.max(1, clientWidth);
    this.height = Math.max(1, clientHeight);
    this.ratio = devicePixelRatio || 1;
    for (const each of [this.canvas, this.layer]) {
      each.width = Math.round(this.width * this.ratio);
      each.height = Math.round(this.height * this.ratio);
    }
    this.changed();
    this.tell("view");
  }

  stamp() {
    const began = performance.now();
    this.stale = false;
    this.stamped = { zoom: this.zoom, cx: this.cx, cy: this.cy };
    const radius = Math.min(7, Math.max(2.5, 2 + Math.log2(this.zoom)) + (this.xs.length < 500 ? 2 : 0));
    const style = getComputedStyle(this.canvas);
    const plain = style.getPropertyValue("--map-plain").trim();
    const edge = style.getPropertyValue("--map-edge").trim();
    const stamps = [...this.colours, plain].map((colour) => dot(colour, edge, radius, this.ratio));
    const half = stamps[0].width / 2;
    const to = this.layer.getContext("2d");
    to.clearRect(0, 0, this.layer.width, this.layer.height);
    const picked = this.chosen ?? this.lit;
    // What is looked for lies above the rest.
    for (const above of picked ? [0, 1] : [1]) {
      to.globalAlpha = above ? 0.9 : 0.15;
      for (let i = 0; i < this.xs.length; i += 1) {
        if (!this.shown[i] || (picked && Number(this.isPicked(i)) !== above)) continue;
        const px = this.px(i) * this.ratio;
        const py = this.py(i) * this.ratio;
        if (px < -half || py < -half || px > this.layer.width + half || py > this.layer.height + half) continue;
        to.drawImage(stamps[this.kinds[i]] ?? stamps.at(-1), px - half, py - half);
      }
    }
    this.cost = performance.now() - began;
  }

  isPicked(i) {
    return Boolean((this.chosen?.[i] ?? 1) && (this.lit?.[i] ?? 1));
  }

  show() {
    const to = this.context;
    to.setTransform(1, 0, 0, 1, 0, 0);
    to.clearRect(0, 0, this.canvas.width, this.canvas.height);
    const { width, height } = this.canvas;
    const { zoom, cx, cy } = this.stamped;
    const scale = this.zoom / zoom;
    const left = (width * (1 - scale)) / 2 + (cx - this.cx) * width * this.zoom;
    const top = (height * (1 - scale)) / 2 + (this.cy - cy) * height * this.zoom;
    to.drawImage(this.layer, left, top, width * scale, height * scale);
    to.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    const style = getComputedStyle(this.canvas);
    to.strokeStyle = style.getPropertyValue("--map-mark").trim();
    to.lineWidth = 2;
    if (this.pointed >= 0) {
      to.beginPath();
      to.arc(this.px(this.pointed), this.py(this.pointed), 10, 0, 2 * Math.PI);
      to.stroke();
    }
    if (!this.line) return;
    to.setLineDash([5, 4]);
    to.beginPath();
    for (const [px, py] of this.line) to.lineTo(px, py);
    to.closePath();
    to.stroke();
    to.setLineDash([]);
  }

  enclosed(line) {
    const found = [];
    for (let i = 0; i < this.xs.length; i += 1) {
      if (this.shown[i] && isWithin(this.px(i), this.py(i), line)) found.push(i);
    }
    return found;
  }

  listen() {
    const { canvas } = this;
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", (event) => this.up(event));
    canvas.addEventListener("pointercancel", (event) => this.cancel(event));
    canvas.addEventListener("pointerleave", () => !this.byKeys && this.point(-1));
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    canvas.addEventListener("keydown", (event) => this.press(event));
    canvas.addEventListener("blur", () => {
      this.byKeys = false;
      this.point(-1);
    });
  }

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  down(event) {
    if (event.button !== 0) return;
    this.byKeys = false;
    this.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, this.at(event));
    this.moved = this.pointers.size > 1 ? Infinity : 0;
    this.line = this.pointers.size === 1 && (this.lassoing || event.shiftKey) ? [this.at(event)] : null;
  }

  move(event) {
    const here = this.at(event);
    const before = this.pointers.get(event.pointerId);
    if (!before) {
      this.byKeys = false;
      this.point(this.nearest(...here, NEAR));
      return;
    }
    this.moved += Math.hypot(here[0] - before[0], here[1] - before[1]);
    if (this.line) {
      this.line.push(here);
      this.draw();
    } else if (this.pointers.size === 2) {
      const other = [...this.pointers].find(([id]) => id !== event.pointerId)[1];
      const span = (a) => Math.hypot(a[0] - other[0], a[1] - other[1]) || 1;
      this.panBy((here[0] - before[0]) / 2, (here[1] - before[1]) / 2);
      this.zoomBy(span(here) / span(before), (here[0] + other[0]) / 2, (here[1] + other[1]) / 2);
    } else if (this.moved > STILL) {
      this.panBy(here[0] - before[0], here[1] - before[1]);
    }
    this.pointers.set(event.pointerId, here);
  }

  up(event) {
    if (!this.pointers.delete(event.pointerId)) return;
    const line = this.line;
    this.line = null;
    if (line && this.moved > STILL) {
      this.tell("lasso", { points: this.enclosed(line) });
    } else if (this.moved <= STILL) {
      const found = this.nearest(...this.at(event), NEAR);
      // A finger points first and opens by a second tap: it cannot hover.
      if (found >= 0 && (event.pointerType === "mouse" || found === this.pointed)) this.tell("open", { point: found });
      else this.point(found);
    }
    this.draw();
  }

  cancel(event) {
    this.pointers.delete(event.pointerId);
    this.line = null;
    this.draw();
  }

  wheel(event) {
    event.preventDefault();
    this.zoomBy(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.002)), ...this.at(event));
  }

  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { width, height } = this;
    const acts = {
      ArrowLeft: () => this.panBy(width * PAN, 0),
      ArrowRight: () => this.panBy(-width * PAN, 0),
      ArrowUp: () => this.panBy(0, height * PAN),
      ArrowDown: () => this.panBy(0, -height * PAN),
      "+": () => this.zoomBy(STEP),
      "=": () => this.zoomBy(STEP),
      "-": () => this.zoomBy(1 / STEP),
      0: () => this.home(),
      Enter: () => this.pointed >= 0 && this.tell("open", { point: this.pointed }),
    };
    if (!(event.key in acts)) return;
    event.preventDefault();
    // By keys, what is nearest to the middle is pointed at.
    const first = event.key === "Enter" && this.pointed < 0;
    this.byKeys = true;
    if (first) this.point(this.nearest(width / 2, height / 2, Infinity));
    else acts[event.key]();
  }
}

function dot(colour, edge, radius, ratio) {
  const stamp = document.createElement("canvas");
  const half = Math.ceil((radius + 1) * ratio);
  stamp.width = stamp.height = 2 * half;
  const to = stamp.getContext("2d");
  to.arc(half, half, radius * ratio, 0, 2 * Math.PI);
  to.fillStyle = colour;
  to.fill();
  to.strokeStyle = edge;
  to.lineWidth = ratio / 2;
  to.stroke();
  return stamp;
}

// Whether a place is within a closed line: a ray from it crosses the line an odd number of times.
function isWithin(x, y, line) {
  let inside = false;
  for (let i = 0, j = line.length - 1; i < line.length; j = i, i += 1) {
    const [xi, yi] = line[i];
    const [xj, yj] = line[j];
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
  }
  return inside;
}
