// Choosing a part of a sound, by dragging on the waveform or by entering two times, which are kept in sync.
import { Waveform } from "../track/waveform.js";
import { label } from "../track/ruler.js";
import { player } from "../player.js";
import RegionsPlugin from "../../vendor/wavesurfer/plugins/regions.esm.js";

const STEP = 0.1;
const LEAP = 1;

// Parses "65.5", "1:05.5" or "1:05,5"; NaN if it is not a time.
export function seconds(text) {
  const parts = text.trim().replace(",", ".").split(":");
  const last = parts.pop();
  if (parts.length > 2 || parts.some((part) => !/^\d+$/.test(part)) || !/^\d+(\.\d*)?$/.test(last)) return NaN;
  parts.push(last);
  return parts.reduce((sum, part) => sum * 60 + Number(part), 0);
}

export function written(moment) {
  return label(Math.round(moment * 10) / 10, STEP);
}

export class Cutter {
  // `sound` is called when the waveform is first shown: returns {peaks, duration}, or null if there is none.
  constructor(root, { sound, play }) {
    Object.assign(this, { root, sound, play });
    this.least = Number(root.dataset.least);
    this.most = Number(root.dataset.most);
    this.duration = Number(root.dataset.duration) || 0;
    this.region = null;
    this.endings = new AbortController();
    const { signal } = this.endings;
    for (const choice of root.querySelectorAll("input[name=part]")) {
      choice.addEventListener("change", () => this.choose(), { signal });
    }
    for (const name of ["start", "end"]) {
      const field = this.part(name);
      field.addEventListener("change", () => this.#typed(), { signal });
      field.addEventListener("keydown", (event) => this.#key(event, name), { signal });
    }
    this.part("listen").addEventListener("click", () => this.#listen(), { signal });
    document.addEventListener("player:time", (event) => this.#follow(event.detail), { signal });
    this.choose();
  }

  part(name) {
    return this.root.querySelector(`[data-cut-${name}]`);
  }

  get chosen() {
    return this.root.querySelector("input[name=part]:checked")?.value === "cut";
  }

  // The fields to send; empty if the whole sound is to be split.
  fields() {
    if (!this.chosen) return { part: "auto" };
    return { part: "cut", start: this.part("start").value, end: this.part("end").value };
  }

  // Shows what is wrong with the times; returns whether they are valid.
  check() {
    if (!this.chosen) return true;
    const [start, end] = this.#times();
    const { text } = this;
    let wrong = "";
    if (Number.isNaN(start) || Number.isNaN(end)) wrong = text.unread;
    else if (end - start < this.least - 0.01) wrong = text.short;
    else if (end - start > this.most + 0.01) wrong = text.long;
    else if (this.duration && end > this.duration + STEP) wrong = text.beyond;
    const place = this.part("error");
    place.textContent = wrong;
    place.hidden = !wrong;
    for (const name of ["start", "end"]) this.part(name).setAttribute("aria-invalid", String(Boolean(wrong)));
    return !wrong;
  }

  get text() {
    const { unread, short, long, beyond } = this.root.dataset;
    return { unread, short, long, beyond };
  }

  stop() {
    this.endings.abort();
    this.wave?.stop();
  }

  #times() {
    return [seconds(this.part("start").value), seconds(this.part("end").value)];
  }

  // Follows the choice between all of the sound and one part of it.
  async choose() {
    this.part("panel").hidden = !this.chosen;
    if (!this.chosen || this.begun) return;
    this.begun = true;
    const place = this.part("wave");
    place.classList.add("is-loading");
    const sound = await this.sound();
    place.classList.remove("is-loading");
    if (this.endings.signal.aborted) return;
    this.duration = sound?.duration || this.duration;
    if (!this.part("end").value) {
      // Keep a start that the user has entered meanwhile.
      const start = this.#times()[0] || 0;
      this.#write(start, Math.min(start + this.most, this.duration || start + this.most));
    }
    if (!sound) {
      place.hidden = true;
      return;
    }
    this.wave = new Waveform(place, sound.peaks, sound.duration);
    const { surfer } = this.wave;
    // Before it is ready its duration is 0, and a region would get no length.
    if (!surfer.getDuration()) await new Promise((resolve) => surfer.once("ready", resolve));
    const regions = surfer.registerPlugin(RegionsPlugin.create());
    const [start, end] = this.#times();
    this.region = regions.addRegion({
      start,
      end,
      minLength: this.least,
      maxLength: this.most,
      color: "transparent",
    });
    this.region.on("update", () => this.#write(this.region.start, this.region.end));
    this.region.on("update-end", () => this.check());
    place.addEventListener("click", (event) => this.#point(event), { signal: this.endings.signal });
  }

  // A click beside the chosen part moves it there.
  #point(event) {
    const box = this.part("wave").getBoundingClientRect();
    const at = ((event.clientX - box.left) / box.width) * this.duration;
    const [start, end] = this.#times();
    if (at >= start && at <= end) return;
    this.#move(at - (end - start) / 2, end - start);
  }

  #move(start, length) {
    const first = Math.max(0, Math.min(start, this.duration - length));
    this.#write(first, first + length);
    this.region?.setOptions({ start: first, end: first + length });
    this.check();
  }

  #write(start, end) {
    for (const [name, moment] of Object.entries({ start, end })) {
      const field = this.part(name);
      // Setting the same value again would remove the selection while the user types.
      if (field.value !== written(moment)) field.value = written(moment);
    }
    this.#measure();
  }

  #measure() {
    const [start, end] = this.#times();
    this.part("length").textContent = end > start ? `${(Math.round((end - start) * 10) / 10).toFixed(1)}\u202fs` : "";
  }

  #typed() {
    const [start, end] = this.#times();
    this.#measure();
    if (this.check()) this.region?.setOptions({ start, end });
  }

  // Up and down move a time by a tenth of a second, Page Up and Page Down by a whole one.
  #key(event, name) {
    const by = { ArrowUp: STEP, ArrowDown: -STEP, PageUp: LEAP, PageDown: -LEAP }[event.key];
    const at = seconds(this.part(name).value);
    if (!by || Number.isNaN(at)) return;
    event.preventDefault();
    this.part(name).value = written(Math.max(0, at + by));
    this.#typed();
  }

  #listen() {
    const [start, end] = this.#times();
    if (!this.check() || !this.play) return;
    this.until = end;
    this.playing = this.play(start);
  }

  // Playback stops at the end of the part.
  #follow({ sound, time }) {
    if (!this.until || sound?.url !== this.playing) return;
    this.wave?.show(this.duration ? time / this.duration : 0);
    if (time < this.until) return;
    this.until = 0;
    player.pause();
  }
}
