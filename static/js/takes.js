// The list of takes: listen, save, send, delete.

import { clock, player } from "./player.js";
import { Refusal, refusalOf, send } from "./sending.js";
import { toast } from "./site.js";
import { toWav } from "./wav.js";

const section = document.getElementById("takes");
const list = document.getElementById("take-list");
const template = document.getElementById("take-row");
const language = document.documentElement.lang;

const takes = new Set();
let count = 0;

export function unsent() {
  return [...takes].some((take) => !take.answer);
}

function fill(text, values) {
  return text.replace(/%\((\w+)\)s/g, (_whole, name) => values[name]);
}

function stamp(date, between) {
  const two = (number) => String(number).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}${between}${two(date.getMinutes())}`;
}

function bytes(size) {
  const [value, unit] = size < 2 ** 20 ? [size / 2 ** 10, "kilobyte"] : [size / 2 ** 20, "megabyte"];
  return new Intl.NumberFormat(language, { style: "unit", unit, maximumFractionDigits: 1 }).format(value);
}

function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

export class Take {
  constructor({ blob, seconds, ending, started, config }) {
    count += 1;
    Object.assign(this, { blob, seconds, ending, started, config });
    this.answer = null;
    this.name = fill(config.text.take, { number: count });
    this.title = fill(config.text.title, { moment: stamp(started, ":") });
    this.row = template.content.firstElementChild.cloneNode(true);
    this.url = URL.createObjectURL(blob);
    this.part("name").textContent = this.name;
    this.part("length").textContent = clock(seconds);
    this.part("size").textContent = bytes(blob.size);
    const play = this.part("take-play");
    Object.assign(play.dataset, { play: this.url, title: this.name, duration: String(seconds) });
    play.setAttribute("aria-label", this.name);
    this.part("send").addEventListener("click", () => this.send());
    this.part("save").addEventListener("click", () => this.save());
    this.part("delete").addEventListener("click", () => this.delete());
    this.show();
  }

  part(name) {
    return this.row.querySelector(`[data-${name}]`);
  }

  show() {
    takes.add(this);
    list.prepend(this.row);
    section.hidden = false;
  }

  refuse(message) {
    this.part("refused").textContent = message;
    this.part("refused").hidden = !message;
  }

  async save() {
    const button = this.part("save");
    button.disabled = true;
    try {
      download(await toWav(this.blob), `${this.fileName()}.wav`);
    } catch {
      this.refuse(this.config.text.undecodable);
    }
    button.disabled = false;
  }

  fileName() {
    return `recording-${stamp(this.started, "-").replace(" ", "-")}`;
  }

  async send() {
    const early = refusalOf(this.blob, this.config);
    if (early) return this.refuse(early.message);
    const bar = this.part("bar");
    this.refuse("");
    bar.hidden = false;
    this.busy(true);
    try {
      this.answer = await send(this.blob, {
        config: this.config,
        name: `${this.fileName()}.${this.ending}`,
        fields: { title: this.title, source: "recording" },
        progress: (share) => {
          this.row.style.setProperty("--share", String(share));
          bar.setAttribute("aria-valuenow", String(Math.floor(share * 100)));
        },
      });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.busy(false);
      bar.hidden = true;
      return this.refuse(error.message);
    }
    bar.hidden = true;
    this.busy(false);
    if (!unsent()) return location.assign(this.answer.url);
    // Others wait to be sent: leaving now would lose them.
    this.part("send").hidden = true;
    this.part("open").href = this.answer.url;
    this.part("open").hidden = false;
    toast(this.config.text.sent, "good");
    return undefined;
  }

  busy(is) {
    for (const button of this.row.querySelectorAll(".track-row-verdict button")) button.disabled = is;
  }

  delete() {
    if (player.holds(this.url)) player.stop();
    const next = this.row.nextSibling;
    this.row.remove();
    takes.delete(this);
    section.hidden = takes.size === 0;
    toast(fill(this.config.text.deleted, { name: this.name }), "", {
      label: this.config.text.undo,
      run: () => {
        this.show();
        list.insertBefore(this.row, next?.parentNode === list ? next : null);
      },
    });
  }
}
