// The waveform, drawn by wavesurfer.js from the worker's peaks. The site's player plays the sound, so
// wavesurfer has no media: the axis sets its progress.
import WaveSurfer from "../../vendor/wavesurfer/wavesurfer.esm.js";

const LOUDEST = 127;

export class Waveform {
  constructor(container, peaks, duration) {
    this.container = container;
    this.duration = duration;
    this.progress = 0;
    const low = [];
    const high = [];
    for (let i = 0; i + 1 < peaks.length; i += 2) {
      low.push(peaks[i] / LOUDEST);
      high.push(peaks[i + 1] / LOUDEST);
    }
    this.surfer = WaveSurfer.create({
      container,
      // It brings its styles along; the policy lets them in by the nonce that the page was sent with.
      cspNonce: document.querySelector("link[nonce]")?.nonce,
      height: "auto",
      peaks: [high, low],
      duration,
      interact: false,
      autoScroll: false,
      hideScrollbar: true,
      cursorWidth: 0,
      barWidth: 2,
      barGap: 1,
      barRadius: 2,
      barMinHeight: 1,
      ...this.#colours(),
    });
    this.surfer.on("redrawcomplete", () => this.show(this.progress));
    this.onTheme = () => this.surfer.setOptions(this.#colours());
    document.addEventListener("theme:change", this.onTheme);
  }

  // `progress` is a share of the whole.
  show(progress) {
    this.progress = progress;
    this.surfer.getRenderer().renderProgress(progress, false);
  }

  // The same waveform in more slices, from -1 to 1.
  refine({ low, high }) {
    this.surfer.load("", [high, low], this.duration);
  }

  stop() {
    document.removeEventListener("theme:change", this.onTheme);
    this.surfer.destroy();
  }

  #colours() {
    const probe = document.createElement("i");
    this.container.append(probe);
    const read = (name) => {
      probe.style.color = `var(${name})`;
      return getComputedStyle(probe).color;
    };
    const colours = { waveColor: read("--wave"), progressColor: read("--wave-played") };
    probe.remove();
    return colours;
  }
}
