// A worker that computes pieces of a track's pictures from its samples, as finely as they are looked at.
// The numbers are those of classifier/core/features.py and pictures.py: mono at 22,050 Hz, Hann windows of 2,048
// samples, Slaney's mel scale, decibels below the loudest cell of the whole track.

const N_FFT = 2048;
const N_MELS = 128;
const N_MFCC = 20;
const ROWS = { spectrogram: 256, mel: N_MELS, chroma: 12, mfcc: N_MFCC };
const SCAN_HOP = 1024;
const MOST_PER_COLUMN = 4;
const FLOOR = 1e-10;
// Shorter windows tell beats apart that are looked at closely; seconds per column.
const WINDOWS = [[0.004, 512], [0.009, 1024]];

let samples = null;
let rate = 0;
let range = [0, 0];
let decibels = 80;
let reference = null;
let melFilters = null;
let chromaFilters = null;
const plans = new Map();

// A complex FFT of n/2 points gives the spectrum of n real ones (Numerical Recipes, 12.3).
function plan(n) {
  if (plans.has(n)) return plans.get(n);
  const half = n / 2;
  const made = {
    window: Float64Array.from({ length: n }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / n)),
    cos: Float64Array.from({ length: half }, (_, i) => Math.cos((2 * Math.PI * i) / n)),
    sin: Float64Array.from({ length: half }, (_, i) => -Math.sin((2 * Math.PI * i) / n)),
    reversed: new Uint32Array(half),
    re: new Float64Array(half),
    im: new Float64Array(half),
    power: new Float64Array(half + 1),
  };
  for (let i = 0, bits = Math.log2(half); i < half; i += 1) {
    for (let bit = 0; bit < bits; bit += 1) if (i & (1 << bit)) made.reversed[i] |= 1 << (bits - 1 - bit);
  }
  plans.set(n, made);
  return made;
}

// The power spectrum of the frame around a sample; it is overwritten by the next one.
function powerAt(centre, n) {
  const { window, cos, sin, reversed, re, im, power } = plan(n);
  const half = n / 2;
  const start = Math.round(centre) - half;
  // Beyond both ends there is silence.
  const end = samples.length - 1;
  for (let i = 0; i < half; i += 1) {
    const place = 2 * reversed[i];
    const at = start + place;
    re[i] = at >= 0 && at <= end ? samples[at] * window[place] : 0;
    im[i] = at >= -1 && at < end ? samples[at + 1] * window[place + 1] : 0;
  }
  for (let size = 2; size <= half; size *= 2) {
    const step = n / size;
    for (let block = 0; block < half; block += size) {
      for (let k = 0; k < size / 2; k += 1) {
        const wr = cos[k * step];
        const wi = sin[k * step];
        const a = block + k;
        const b = a + size / 2;
        const tr = re[b] * wr - im[b] * wi;
        const ti = re[b] * wi + im[b] * wr;
        re[b] = re[a] - tr;
        im[b] = im[a] - ti;
        re[a] += tr;
        im[a] += ti;
      }
    }
  }
  power[0] = (re[0] + im[0]) ** 2;
  power[half] = (re[0] - im[0]) ** 2;
  for (let k = 1; k < half; k += 1) {
    const other = half - k;
    const er = (re[k] + re[other]) / 2;
    const ei = (im[k] - im[other]) / 2;
    const or = (im[k] + im[other]) / 2;
    const oi = (re[other] - re[k]) / 2;
    const xr = er + or * cos[k] - oi * sin[k];
    const xi = ei + or * sin[k] + oi * cos[k];
    power[k] = xr * xr + xi * xi;
  }
  // A shorter window gathers less power of the same tone.
  const gain = (N_FFT / n) ** 2;
  if (gain !== 1) for (let k = 0; k <= half; k += 1) power[k] *= gain;
  return power;
}

const LOG_STEP = Math.log(6.4) / 27;
const toMel = (hz) => (hz < 1000 ? hz / (200 / 3) : 15 + Math.log(hz / 1000) / LOG_STEP);
const toHz = (mel) => (mel < 15 ? (mel * 200) / 3 : 1000 * Math.exp(LOG_STEP * (mel - 15)));

function makeMel() {
  const top = toMel(rate / 2);
  const edges = Array.from({ length: N_MELS + 2 }, (_, i) => toHz((i / (N_MELS + 1)) * top));
  const width = rate / N_FFT;
  return Array.from({ length: N_MELS }, (_, band) => {
    const [low, middle, high] = edges.slice(band, band + 3);
    const weights = [];
    const first = Math.max(0, Math.ceil(low / width));
    for (let bin = first; bin * width < high && bin <= N_FFT / 2; bin += 1) {
      const hz = bin * width;
      weights.push((Math.max(0, Math.min((hz - low) / (middle - low), (high - hz) / (high - middle))) * 2) / (high - low));
    }
    return { first, weights };
  });
}

// By how much the track is out of tune, in semitones: the circular mean over the peaks of frames all over it.
function tuning() {
  let [x, y] = [0, 0];
  const low = Math.ceil((150 * N_FFT) / rate);
  const high = Math.ceil((4000 * N_FFT) / rate);
  for (let frame = 0; frame < 128; frame += 1) {
    const power = powerAt((samples.length * (frame + 0.5)) / 128, N_FFT);
    let most = 0;
    for (let bin = low; bin < high; bin += 1) most = Math.max(most, power[bin]);
    for (let bin = low; bin < high; bin += 1) {
      const [a, b, c] = [power[bin - 1], power[bin], power[bin + 1]];
      if (b <= 0.1 * most || b <= a || b < c) continue;
      const curvature = 2 * b - a - c;
      const pitch = ((bin + (curvature > 0 ? (0.5 * (c - a)) / curvature : 0)) * rate) / N_FFT;
      const turn = 2 * Math.PI * 12 * Math.log2(pitch / 440);
      x += Math.cos(turn);
      y += Math.sin(turn);
    }
  }
  return x || y ? Math.atan2(y, x) / (2 * Math.PI) : 0;
}

function makeChroma() {
  const base = (440 * 2 ** (tuning() / 12)) / 16;
  const bins = N_FFT / 2 + 1;
  const pitch = Float64Array.from({ length: bins + 1 }, (_, i) => (i ? 12 * Math.log2((i * rate) / N_FFT / base) : 0));
  pitch[0] = pitch[1] - 18;
  const rows = Array.from({ length: 12 }, () => new Float64Array(bins));
  for (let bin = 0; bin < bins; bin += 1) {
    const width = Math.max(pitch[bin + 1] - pitch[bin], 1);
    const weights = rows.map((_, note) => {
      const distance = ((((pitch[bin] - note + 126) % 12) + 12) % 12) - 6;
      return Math.exp(-0.5 * ((2 * distance) / width) ** 2);
    });
    const norm = Math.hypot(...weights) || 1;
    const octave = Math.exp(-0.5 * ((pitch[bin] / 12 - 5) / 2) ** 2);
    // The reference is an A; the first row is C.
    weights.forEach((weight, note) => (rows[(note + 9) % 12][bin] = (weight / norm) * octave));
  }
  return rows;
}

function melOf(power) {
  melFilters ??= makeMel();
  return melFilters.map(({ first, weights }) => {
    let sum = 0;
    for (let i = 0; i < weights.length; i += 1) sum += power[first + i] * weights[i];
    return sum;
  });
}

// Of each row the bins that it spans: from, to and, where that is less than one, the share of the upper of two.
function makeBands(n) {
  const width = rate / n;
  const count = ROWS.spectrogram;
  const made = { from: new Uint16Array(count), to: new Uint16Array(count), rest: new Float64Array(count) };
  for (let row = 0; row < count; row += 1) {
    const hz = range[0] * (range[1] / range[0]) ** (row / (count - 1));
    const [low, high] = [(hz * 2 ** (-1 / 72)) / width, (hz * 2 ** (1 / 72)) / width];
    const narrow = high - low < 1;
    made.from[row] = narrow ? Math.floor(hz / width) : Math.round(low);
    made.to[row] = narrow ? made.from[row] + 1 : Math.min(n / 2, Math.ceil(high) - 1);
    made.rest[row] = narrow ? hz / width - made.from[row] : -1;
  }
  return made;
}

function bandsOf(power, n) {
  const { from, to, rest } = (plan(n).bands ??= makeBands(n));
  const found = new Float64Array(rest.length);
  for (let row = 0; row < found.length; row += 1) {
    if (rest[row] >= 0) found[row] = power[from[row]] * (1 - rest[row]) + power[to[row]] * rest[row];
    else for (let bin = from[row]; bin <= to[row]; bin += 1) if (power[bin] > found[row]) found[row] = power[bin];
  }
  return found;
}

const db = (power, against) => 10 * Math.log10(Math.max(power, FLOOR) / Math.max(against, 1e-2));

const DCT = Array.from({ length: N_MFCC }, (_, k) =>
  Float64Array.from({ length: N_MELS }, (_each, i) => Math.cos((Math.PI * k * (2 * i + 1)) / (2 * N_MELS)) * Math.sqrt((k ? 2 : 1) / N_MELS)),
);

function mfccOf(mel) {
  const levels = mel.map((power) => Math.max(10 * Math.log10(Math.max(power, FLOOR)), reference.melDb - 80));
  return DCT.map((row) => row.reduce((sum, weight, i) => sum + weight * levels[i], 0));
}

// What the levels of the whole track are relative to.
function scan() {
  const mels = [];
  reference = { spectrogram: 0, mel: 0 };
  for (let centre = 0; centre < samples.length; centre += SCAN_HOP) {
    const power = powerAt(centre, N_FFT);
    for (let bin = Math.floor(range[0] / (rate / N_FFT)); bin < power.length; bin += 1) {
      if (power[bin] > reference.spectrogram) reference.spectrogram = power[bin];
    }
    const mel = melOf(power);
    for (const value of mel) if (value > reference.mel) reference.mel = value;
    mels.push(Float32Array.from(mel));
  }
  reference.melDb = 10 * Math.log10(Math.max(reference.mel, FLOOR));
  const step = Math.max(1, Math.floor(mels.length / 2000));
  const rows = mels.filter((_, i) => i % step === 0).map((mel) => mfccOf([...mel]));
  reference.mfcc = Array.from({ length: N_MFCC }, (_, k) => {
    const sorted = rows.map((row) => row[k]).sort((a, b) => a - b);
    const at = (share) => sorted[Math.round(share * (sorted.length - 1))];
    return [at(0.01), Math.max(at(0.99) - at(0.01), 1)];
  });
}

// One column of a picture from the bottom, as levels from 0 to 1.
function column(picture, seconds, spacing) {
  const n = picture === "spectrogram" ? (WINDOWS.find(([most]) => spacing < most)?.[1] ?? N_FFT) : N_FFT;
  const count = Math.min(MOST_PER_COLUMN, Math.max(1, Math.ceil((spacing * rate) / 512)));
  let sum = null;
  for (let part = 0; part < count; part += 1) {
    const power = powerAt((seconds + ((part + 0.5) / count - 0.5) * spacing) * rate, n);
    const values = picture === "spectrogram" ? bandsOf(power, n) : picture === "chroma" ? chromaOf(power) : melOf(power);
    sum = sum ? sum.map((value, row) => Math.max(value, values[row])) : values;
  }
  if (picture === "chroma") {
    const most = Math.max(...sum, FLOOR);
    return sum.map((value) => value / most);
  }
  if (picture === "mfcc") return mfccOf([...sum]).map((value, k) => (value - reference.mfcc[k][0]) / reference.mfcc[k][1]);
  return sum.map((value) => db(value, reference[picture]) / decibels + 1);
}

function chromaOf(power) {
  chromaFilters ??= makeChroma();
  return chromaFilters.map((weights) => {
    let sum = 0;
    for (let bin = 0; bin < weights.length; bin += 1) sum += weights[bin] * power[bin];
    return sum;
  });
}

const limited = (value) => Math.min(1, Math.max(0, value));

function tile({ picture, from, to, width }) {
  const rows = ROWS[picture];
  const levels = new Uint8ClampedArray(rows * width);
  const spacing = (to - from) / width;
  for (let x = 0; x < width; x += 1) {
    const values = column(picture, from + (x + 0.5) * spacing, spacing);
    for (let row = 0; row < rows; row += 1) levels[(rows - 1 - row) * width + x] = limited(values[row]) * 255;
  }
  return { levels, rows, width };
}

function level({ picture, seconds, y, spacing }) {
  const values = column(picture, seconds, spacing);
  return limited(values[Math.min(values.length - 1, Math.floor(y * values.length))]);
}

function peaks({ count }) {
  const low = new Float32Array(count);
  const high = new Float32Array(count);
  let most = 0;
  for (let slice = 0; slice < count; slice += 1) {
    const start = Math.floor((slice * samples.length) / count);
    const end = Math.max(start + 1, Math.floor(((slice + 1) * samples.length) / count));
    for (let i = start; i < end; i += 1) {
      if (samples[i] < low[slice]) low[slice] = samples[i];
      if (samples[i] > high[slice]) high[slice] = samples[i];
    }
    most = Math.max(most, high[slice], -low[slice]);
  }
  if (most) for (let slice = 0; slice < count; slice += 1) (low[slice] /= most), (high[slice] /= most);
  return { low, high };
}

const ACTS = { tile, level, peaks };

addEventListener("message", ({ data }) => {
  if (data.samples) {
    ({ samples, rate, range, decibels } = data);
    scan();
    postMessage({ id: data.id, result: true });
    return;
  }
  postMessage({ id: data.id, result: ACTS[data.act](data) });
});
