// Frequency and level of the shown picture at a place of it.

const NOTES = ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"];
const N_MFCC = 20;
const LOG_STEP = Math.log(6.4) / 27;
const MEL_BREAK = 15;

function hertz(value) {
  if (value < 1000) return `${Math.round(value)}\u202fHz`;
  return `${(value / 1000).toFixed(value < 10000 ? 2 : 1)}\u202fkHz`;
}

const toMel = (hz) => MEL_BREAK + Math.log(hz / 1000) / LOG_STEP;
const toHz = (mel) => (mel < MEL_BREAK ? (mel * 200) / 3 : 1000 * Math.exp(LOG_STEP * (mel - MEL_BREAK)));

// What lies at a height from 0 (bottom) to 1 of a picture.
export function heightName(picture, y, { spectrogram: [lowest, highest], sampleRate }) {
  if (picture === "spectrogram") return hertz(lowest * (highest / lowest) ** y);
  if (picture === "mel" || picture === "why") return hertz(toHz(y * toMel(sampleRate / 2)));
  if (picture === "chroma") return NOTES[Math.min(11, Math.floor(y * 12))];
  return `MFCC ${Math.min(N_MFCC - 1, Math.floor(y * N_MFCC))}`;
}

export function levelName(picture, share, { decibels }) {
  if (picture === "spectrogram" || picture === "mel") return `${Math.round((share - 1) * decibels)}\u202fdB`.replace("-", "−");
  return `${Math.round(share * 100)}\u202f%`;
}

// Asks for levels one at a time: of those asked for meanwhile only the last one matters.
export class Reader {
  constructor(source, settings) {
    Object.assign(this, { source, settings, busy: false, next: null });
  }

  async read(picture, seconds, y, spacing, tell) {
    if (picture === "why" || !(this.source.ready || this.source.small)) return;
    this.next = [picture, seconds, y, spacing, tell];
    if (this.busy) return;
    this.busy = true;
    try {
      if (!(await this.source.load())) return;
      while (this.next) {
        const [name, at, height, step, done] = this.next;
        this.next = null;
        done(levelName(name, await this.source.level(name, at, height, step), this.settings));
      }
    } finally {
      this.busy = false;
    }
  }
}
