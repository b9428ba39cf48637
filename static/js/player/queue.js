// The queue of the player: sounds in the order in which they are played, without any of the page.

export const REPEATS = ["off", "all", "one"];
// More would make a long list and a long address to ask for them again.
export const MOST = 200;

export class Queue {
  constructor() {
    this.items = [];
    this.at = -1;
    this.repeat = "off";
    this.shuffled = false;
    this.counter = 0;
  }

  get current() {
    return this.items[this.at] ?? null;
  }

  find(track) {
    return this.items.findIndex((item) => item.track === track);
  }

  // Replaces everything; plays on from `at`.
  set(sounds, at) {
    this.items = [];
    this.at = -1;
    this.#insert(sounds.slice(0, MOST), 0);
    this.at = Math.min(at, this.items.length - 1);
    if (this.shuffled) this.#mix();
  }

  // What is in the queue already is not added twice.
  add(sounds, { next = false } = {}) {
    const fresh = sounds.filter((sound) => this.find(sound.track) < 0).slice(0, MOST - this.items.length);
    this.#insert(fresh, next ? this.at + 1 : this.items.length);
    return fresh.length;
  }

  #insert(sounds, place) {
    const items = sounds.map((sound) => ({ ...sound, place: (this.counter += 1) }));
    this.items.splice(place, 0, ...items);
    if (this.at >= place) this.at += items.length;
  }

  move(from, to) {
    const end = Math.min(Math.max(0, to), this.items.length - 1);
    if (from === end || !this.items[from]) return false;
    const { current } = this;
    const [item] = this.items.splice(from, 1);
    this.items.splice(end, 0, item);
    if (!this.shuffled) this.items.forEach((each, place) => (each.place = place));
    this.at = this.items.indexOf(current);
    return true;
  }

  remove(index) {
    this.items.splice(index, 1);
    if (index <= this.at) this.at -= 1;
  }

  clear() {
    this.items = this.current ? [this.current] : [];
    this.at = this.items.length - 1;
  }

  // The place of the next sound or -1. `ended`: the last one came to its end, so that one may be repeated.
  following(ended = false) {
    if (!this.items.length) return -1;
    if (ended && this.repeat === "one" && this.at >= 0) return this.at;
    if (this.at + 1 < this.items.length) return this.at + 1;
    return this.repeat === "all" || (!ended && this.repeat === "one") ? 0 : -1;
  }

  preceding() {
    if (this.at > 0) return this.at - 1;
    return this.repeat === "off" ? -1 : this.items.length - 1;
  }

  // What was played stays where it is; turned off, the order is the former one again.
  shuffle(on) {
    this.shuffled = on;
    if (on) this.#mix();
    else {
      const { current } = this;
      this.items.sort((a, b) => a.place - b.place);
      this.at = this.items.indexOf(current);
    }
  }

  #mix() {
    const { current } = this;
    const later = this.items.splice(this.at + 1);
    for (let last = later.length - 1; last > 0; last -= 1) {
      const other = Math.floor(Math.random() * (last + 1));
      [later[last], later[other]] = [later[other], later[last]];
    }
    this.items.push(...later);
    this.at = this.items.indexOf(current);
  }

  // What is kept from page to page.
  state() {
    const { items, at, repeat, shuffled, counter } = this;
    return { items, at, repeat, shuffled, counter };
  }

  restore(state) {
    if (!Array.isArray(state?.items)) return;
    this.items = state.items.filter((item) => item?.track && item.url).slice(0, MOST);
    this.at = Math.min(Number(state.at) || 0, this.items.length - 1);
    this.repeat = REPEATS.includes(state.repeat) ? state.repeat : "off";
    this.shuffled = Boolean(state.shuffled);
    this.counter = Number(state.counter) || this.items.length;
  }
}
