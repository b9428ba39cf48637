// The waveform of a file, computed in the browser before it is sent.

const SLICES = 600;
// Enough to show beats, with a twentieth of the memory of the original rate.
const RATE = 3000;

// Returns {peaks, duration}, peaks as pairs of minimum and maximum, -127 to 127; null if this browser cannot
// decode the file.
export async function peaksOf(file) {
  try {
    const context = new OfflineAudioContext(1, 1, RATE);
    const sound = await context.decodeAudioData(await file.arrayBuffer());
    return { peaks: slices(sound.getChannelData(0)), duration: sound.duration };
  } catch {
    return null;
  }
}

function slices(samples) {
  const loudest = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0) || 1;
  const peaks = [];
  for (let place = 0; place < SLICES; place += 1) {
    const first = Math.floor((place * samples.length) / SLICES);
    const last = Math.max(first + 1, Math.floor(((place + 1) * samples.length) / SLICES));
    let low = 0;
    let high = 0;
    for (const sample of samples.subarray(first, last)) {
      low = Math.min(low, sample);
      high = Math.max(high, sample);
    }
    peaks.push(Math.round((low / loudest) * 127), Math.round((high / loudest) * 127));
  }
  return peaks;
}

// Returns the duration of a file in seconds without decoding it; null if this browser cannot read it.
export function durationOf(url) {
  return new Promise((resolve) => {
    const audio = new Audio();
    audio.preload = "metadata";
    audio.addEventListener("loadedmetadata", () => resolve(Number.isFinite(audio.duration) ? audio.duration : null));
    audio.addEventListener("error", () => resolve(null));
    audio.src = url;
  });
}
