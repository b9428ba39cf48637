// Leads the sound of the player through an analyser, where a browser plays on as well as before.

// Once an element's sound goes through a context, it is silent while the context is suspended: iOS suspends it
// when the screen is locked, and there music must play on.
const locks = navigator.maxTouchPoints > 1 && /AppleWebKit/.test(navigator.userAgent) && !/Chrom|Android/.test(navigator.userAgent);
const GESTURES = ["pointerdown", "keydown"];

let context = null;
let analyser = null;

// Sounds of another origin, as of a bucket, would be silent, since the browser may not look into them.
function isOwn(url) {
  return new URL(url, location.href).protocol !== "blob:" && new URL(url, location.href).origin === location.origin;
}

// Calls `ready` with the analyser as soon as the browser lets a context run, which may need a gesture.
export function lead(audio, url, ready) {
  if (analyser) return ready(analyser);
  if (locks || !window.AudioContext || !isOwn(url)) return undefined;
  if (!context) {
    context = new AudioContext({ latencyHint: "playback" });
    for (const gesture of GESTURES) document.addEventListener(gesture, () => context.resume(), { once: true });
  }
  const connect = () => {
    if (context.state !== "running" || analyser) return;
    analyser = context.createAnalyser();
    analyser.fftSize = 4096;
    analyser.smoothingTimeConstant = 0.75;
    const source = context.createMediaElementSource(audio);
    source.connect(analyser);
    analyser.connect(context.destination);
    ready(analyser);
  };
  context.addEventListener("statechange", connect);
  context.resume().then(connect, () => {});
  connect();
  return undefined;
}
