// The recorder: permission, level, start, pause, resume, stop. The page decides what to do with a recording.

import { Clarity } from "./clarity.js";
import { MicrophoneError, openMicrophone, recordingType, whyNot } from "./microphone.js";
import { player } from "./player.js";
import { clock } from "./player/clock.js";
import { Spectrum } from "./player/spectrum.js";
import { letSleep, stayAwake } from "./wake_lock.js";
import { Wave } from "./wave.js";

const QUIET = -45;
const LOUD = -0.5;
// Seconds of silence before a hint is shown.
const PATIENCE = 3;
const BIT_RATE = 160_000;
// Milliseconds of a chunk, and how many of them are a piece: little is lost if the recorder or the page fails.
const CHUNK = 1000;
const PIECE = 5;

const element = (id) => document.getElementById(id);
const recorder = element("recorder");
const level = element("level");
const wave = new Wave(element("wave"));
const spectrum = new Spectrum(element("spectrum"), () => state === "recording");

let microphone = null;
let media = null;
let state = "idle";
let length = 0;
let since = 0;
let frame = 0;
let audibleAt = 0;
let reportedAt = 0;
let config = null;
let text = null;
let keep = null;
let keepPiece = null;
let clarity = null;
let soFar = null;

function elapsed() {
  return length + (state === "recording" ? (performance.now() - since) / 1000 : 0);
}

function say(words) {
  if (element("state").textContent !== words) element("state").textContent = words;
}

function complain(code) {
  const box = element("trouble");
  box.dataset.code = code ?? "";
  box.querySelector("[data-text]").textContent = code ? text[code] : "";
  box.hidden = !code;
}

function become(next) {
  state = next;
  recorder.dataset.state = next;
  const on = next === "recording" || next === "paused";
  // Asked now: an element that is hidden loses the focus.
  const focused = document.activeElement;
  element("start").hidden = on;
  element("stop").hidden = !on;
  element("pause").hidden = next !== "recording";
  element("resume").hidden = next !== "paused";
  // Not disabled: the focus would be lost, and with it the keyboard's way to the next button.
  element("start").ariaDisabled = String(next === "asking");
  element("device").disabled = on;
  if (focused?.hidden && recorder.contains(focused)) {
    const after = { pause: "resume", resume: "pause" }[focused.id];
    element(on ? (after ?? "stop") : "start").focus();
  }
  say({ idle: text.idle, asking: text.asking, recording: text.recording, paused: text.paused }[next]);
}

async function start() {
  if (state !== "idle") return;
  complain(null);
  player.pause();
  become("asking");
  try {
    microphone = await openMicrophone(element("device").value);
  } catch (error) {
    become("idle");
    if (!(error instanceof MicrophoneError)) throw error;
    complain(error.code);
    return;
  }
  offer();
  try {
    record(microphone);
  } catch (error) {
    microphone.close();
    microphone = null;
    become("idle");
    if (!(error instanceof DOMException)) throw error;
    complain(error.name === "NotSupportedError" ? "unsupported" : "occupied");
    return;
  }
  if (element("clarity-on")?.checked) clarity?.begin();
  else clarity?.end();
  length = 0;
  wave.clear();
  since = performance.now();
  audibleAt = since;
  become("recording");
  stayAwake();
  spectrum.connect(microphone.analyser);
  frame = requestAnimationFrame(draw);
}

function record({ stream, track }) {
  const [type, ending] = recordingType();
  const chunks = [];
  const started = new Date();
  const recording = new MediaRecorder(stream, { ...(type && { mimeType: type }), audioBitsPerSecond: BIT_RATE });
  const blobOf = (parts) => new Blob(parts, { type: recording.mimeType.split(";")[0] || "audio/webm" });
  recording.addEventListener("dataavailable", (event) => {
    if (event.data.size) chunks.push(event.data);
    if (!event.data.size || chunks.length % PIECE || !isRecording()) return;
    keepPiece?.({ blob: blobOf(chunks.slice(-PIECE)), seconds: elapsed(), ending, started });
  });
  recording.addEventListener("stop", () => finish({ blob: blobOf(chunks), ending, started, track }));
  recording.addEventListener("error", () => {
    complain("broken");
    stop();
  });
  track.addEventListener("ended", () => {
    if (isRecording()) complain("unplugged");
    stop();
  });
  recording.start(CHUNK);
  media = recording;
  soFar = [() => blobOf(chunks), ending];
}

function pause() {
  if (state !== "recording") return;
  length = elapsed();
  media.pause();
  become("paused");
}

function resume() {
  if (state !== "paused") return;
  media.resume();
  since = performance.now();
  audibleAt = since;
  become("recording");
  spectrum.start();
}

function stop() {
  if (state !== "recording" && state !== "paused") return;
  length = elapsed();
  become("idle");
  letSleep();
  clarity?.end();
  cancelAnimationFrame(frame);
  if (media.state !== "inactive") media.stop();
  spectrum.clear();
  microphone.close();
  microphone = null;
  meter(-60);
}

function finish({ blob, ending, started, track }) {
  // Browsers end a recording by themselves when the microphone is gone, and for reasons of their own.
  if (isRecording()) complain(track.readyState === "ended" ? "unplugged" : "broken");
  stop();
  element("time").textContent = clock(0);
  if (length < config.minSeconds || !blob.size) {
    complain("too_short");
    return;
  }
  keep({ blob, seconds: length, ending, started });
}

function meter(decibels) {
  level.style.setProperty("--level", String(1 + decibels / 60));
}

function draw(now) {
  const { peak, decibels } = microphone.level();
  meter(decibels);
  if (state === "recording") wave.add(peak, now);
  element("time").textContent = clock(elapsed());
  if (decibels > QUIET) audibleAt = now;
  if (now - reportedAt > 500 && state === "recording") {
    reportedAt = now;
    level.setAttribute("aria-valuenow", decibels.toFixed(0));
    level.setAttribute("aria-valuetext", `${decibels.toFixed(0)} dB`);
    if (decibels > LOUD) say(text.loud);
    else if (now - audibleAt > PATIENCE * 1000) say(text.quiet);
    else say(text.recording);
    clarity?.update(elapsed(), ...soFar);
  }
  if (elapsed() >= config.maxSeconds) {
    complain("limit");
    stop();
    return;
  }
  frame = requestAnimationFrame(draw);
}

// Names of microphones are only available after permission was given.
async function offer() {
  const others = await microphone.others();
  const select = element("device");
  const current = microphone?.device ?? select.value;
  select.replaceChildren(
    ...others.map((device) => new Option(device.label, device.deviceId, false, device.deviceId === current)),
  );
  element("input").hidden = others.length < 2;
}

// Whether leaving the page now would interrupt a recording.
export function isRecording() {
  return state === "recording" || state === "paused";
}

// `keeper` is called with each recording as {blob, seconds, ending, started}; `keeperOfPieces`, while it is made, with
// each new piece of it and the seconds so far.
export function startRecorder(settings, keeper, keeperOfPieces = null) {
  config = settings;
  text = settings.text;
  keep = keeper;
  keepPiece = keeperOfPieces;
  if (config.clarityUrl) clarity = new Clarity(config, (words) => (element("clarity").textContent = words));
  element("start").addEventListener("click", start);
  element("pause").addEventListener("click", pause);
  element("resume").addEventListener("click", resume);
  element("stop").addEventListener("click", stop);
  // A page in the background gets no animation frames: the limit must hold there too.
  setInterval(() => {
    if (state === "recording" && elapsed() >= config.maxSeconds) {
      complain("limit");
      stop();
    }
  }, 1000);
  document.addEventListener("player:play", () => state === "recording" && player.pause());
  wave.draw();
  say(text.idle);
  look();
}

function look() {
  const problem = whyNot();
  if (problem) {
    complain(problem);
    element("start").disabled = true;
    return;
  }
  navigator.permissions?.query({ name: "microphone" }).then(
    (permission) => {
      // What else is said must stay, whatever becomes of the permission.
      const tell = () => {
        if (permission.state === "denied") complain("denied");
        else if (element("trouble").dataset.code === "denied") complain(null);
      };
      tell();
      permission.addEventListener("change", tell);
    },
    // Firefox before 131 does not know that permission by name.
    () => {},
  );
}
