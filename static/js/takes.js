// The list of takes: listen, save, send, delete. Each is kept in this browser until it is sent or deleted.

import { forgetTake, keepTake, keptTakes, recoverTakes } from "./kept_takes.js";
import { player } from "./player.js";
import { clock } from "./player/clock.js";
import { Refusal, refusalOf, send } from "./sending.js";
import { toast } from "./site.js";
import { toWav } from "./wav.js";

const section = document.getElementById("takes");
const list = document.getElementById("take-list");
const template = document.getElementById("take-row");
// Seconds under which verdicts on recordings are right less often (docs/experiments.md).
const SHORT = 10;
const language = document.documentElement.lang;

const takes = new Set();
let count = 0;

function unsent() {
  return [...takes].some((take) => !take.answer);
}

// Whether leaving the page now would lose a take.
export function unkept() {
  return [...takes].some((take) => !take.answer && !take.kept);
}

// Shows what was recorded here before and not sent.
export async function showKept(config) {
  let found = [];
  let recovered = [];
  try {
    recovered = await recoverTakes(config.owner, config.minSeconds).catch(() => []);
    found = await keptTakes(config.owner);
  } catch {
    // Private windows may refuse.
  }
  const shown = new Set([...takes].map((take) => take.id));
  for (const kept of found) if (!shown.has(kept.id)) new Take({ ...kept, config, kept: true });
  list.ariaBusy = "false";
  if (recovered.length) toast(config.text.recovered);
}

// Of the next take.
export function nextNumber() {
  return count + 1;
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

function tell() {
  for (const take of takes) take.row.toggleAttribute("data-kept", take.kept);
  const lost = unkept();
  section.querySelector("[data-keeps]").hidden = lost;
  section.querySelector("[data-loses]").hidden = !lost;
}

export class Take {
  constructor({ id, blob, seconds, ending, started, number, config, kept = false }) {
    count = Math.max(count, number);
    Object.assign(this, { id, blob, seconds, ending, started, number, config, kept });
    this.answer = null;
    this.name = fill(config.text.take, { number });
    this.title = fill(config.text.title, { moment: stamp(started, ":") });
    this.row = template.content.firstElementChild.cloneNode(true);
    this.url = URL.createObjectURL(blob);
    this.part("name").textContent = this.name;
    this.part("length").textContent = clock(seconds);
    this.part("short").hidden = seconds >= SHORT;
    this.part("size").textContent = bytes(blob.size);
    const moment = this.part("moment");
    moment.dateTime = started.toISOString();
    moment.textContent = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" }).format(started);
    const play = this.part("take-play");
    Object.assign(play.dataset, { play: this.url, title: this.name, duration: String(seconds) });
    play.setAttribute("aria-label", this.name);
    this.part("name").id = `take-${id}`;
    this.part("bar").setAttribute("aria-labelledby", `take-${id}`);
    for (const name of ["send", "save", "delete"]) this.part(name).setAttribute("aria-describedby", `take-${id}`);
    this.part("send").addEventListener("click", () => this.send());
    this.part("save").addEventListener("click", () => this.save());
    this.part("delete").addEventListener("click", () => this.delete());
    this.show();
    if (kept) tell();
    else this.keeping = this.keep();
  }

  async keep() {
    const { id, blob, seconds, ending, started, number } = this;
    try {
      await keepTake({ id, owner: this.config.owner, blob, seconds, ending, started, number });
      this.kept = true;
      // It was sent or deleted meanwhile.
      if (this.answer || !takes.has(this)) this.forget();
    } catch {
      // The disk is full, or a private window refuses: then it lives as long as the page, which says so.
      this.kept = false;
    }
    tell();
  }

  forget() {
    this.kept = false;
    return forgetTake(this.id).catch(() => {});
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
        interrupted: () => this.refuse(this.config.text.interrupted),
        progress: (share) => {
          this.refuse("");
          this.row.style.setProperty("--share", String(share));
          bar.setAttribute("aria-valuenow", String(Math.floor(share * 100)));
        },
      });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.busy(false);
      bar.hidden = true;
      if (document.activeElement === document.body) this.part("send").focus();
      return this.refuse(error.message);
    }
    bar.hidden = true;
    this.busy(false);
    const open = this.part("open");
    open.href = this.answer.url;
    open.hidden = false;
    const focused = this.row.contains(document.activeElement) || document.activeElement === document.body;
    this.part("send").hidden = true;
    // Leaving the page sooner would leave the take behind.
    await this.forget();
    if (!unsent()) return location.assign(this.answer.url);
    // Others wait to be sent.
    if (focused) open.focus();
    toast(this.config.text.sent, "good");
    return undefined;
  }

  busy(is) {
    for (const button of this.row.querySelectorAll(".track-row-verdict button")) button.disabled = is;
  }

  delete() {
    if (player.holds(this.url)) player.stop();
    const next = this.row.nextSibling;
    const near = this.row.nextElementSibling ?? this.row.previousElementSibling;
    (near?.querySelector("[data-delete]") ?? document.getElementById("start")).focus();
    this.row.remove();
    takes.delete(this);
    this.forget();
    section.hidden = takes.size === 0;
    toast(fill(this.config.text.deleted, { name: this.name }), "", {
      label: this.config.text.undo,
      run: () => {
        this.show();
        this.keep();
        list.insertBefore(this.row, next?.parentNode === list ? next : null);
      },
    });
  }
}
