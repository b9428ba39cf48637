// The samples of a track in a worker, loaded when they are first needed. Where that fails, what is stored is shown.

// More would fill the memory of a small device.
const LONGEST = 1260;
// Without being asked for: what somebody on a mobile network does not want to load by the way.
const SMALL = 12 * 2 ** 20;

export class Source {
  constructor(section, { sampleRate, spectrogram, decibels }, duration) {
    this.url = section.dataset.url;
    this.worker = null;
    this.workerUrl = section.dataset.worker;
    this.small = Number(section.dataset.bytes) < SMALL && !navigator.connection?.saveData;
    this.able = Boolean(window.Worker && window.OfflineAudioContext) && duration > 0 && duration < LONGEST;
    Object.assign(this, { sampleRate, range: spectrogram, decibels, count: 0, loading: null, ready: false });
    this.waiting = new Map();
  }

  // Resolves to whether the samples are there.
  load() {
    if (!this.able) return Promise.resolve(false);
    this.loading ??= this.#load().then(
      () => (this.ready = true),
      () => {
        this.able = false;
        return false;
      },
    );
    return this.loading;
  }

  async #load() {
    const response = await fetch(this.url);
    if (!response.ok) throw new Error(`the sound was refused: ${response.status}`);
    const context = new OfflineAudioContext(1, 1, this.sampleRate);
    const buffer = await context.decodeAudioData(await response.arrayBuffer());
    const mono = new Float32Array(buffer.getChannelData(0));
    for (let channel = 1; channel < buffer.numberOfChannels; channel += 1) {
      const other = buffer.getChannelData(channel);
      for (let i = 0; i < mono.length; i += 1) mono[i] += other[i];
    }
    if (buffer.numberOfChannels > 1) for (let i = 0; i < mono.length; i += 1) mono[i] /= buffer.numberOfChannels;
    this.worker = new Worker(this.workerUrl);
    this.worker.addEventListener("message", ({ data }) => {
      this.waiting.get(data.id)?.(data.result);
      this.waiting.delete(data.id);
    });
    await this.#ask({ samples: mono, rate: this.sampleRate, range: this.range, decibels: this.decibels }, [mono.buffer]);
  }

  #ask(message, moved = []) {
    const id = (this.count += 1);
    return new Promise((resolve) => {
      this.waiting.set(id, resolve);
      this.worker.postMessage({ id, ...message }, moved);
    });
  }

  tile(picture, from, to, width) {
    return this.#ask({ act: "tile", picture, from, to, width });
  }

  level(picture, seconds, y, spacing) {
    return this.#ask({ act: "level", picture, seconds, y, spacing });
  }

  peaks(count) {
    return this.#ask({ act: "peaks", count });
  }

  stop() {
    this.worker?.terminate();
    this.able = false;
  }
}
