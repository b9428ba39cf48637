// The microphone: permission, selection and level.

// The processing for voice calls would damage music.
const RAW = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
const FLOOR = -60;

export class MicrophoneError extends Error {
  constructor(code) {
    super(code);
    this.code = code;
  }
}

export function whyNot() {
  if (!window.isSecureContext) return "insecure";
  if (!navigator.mediaDevices?.getUserMedia || !window.MediaRecorder || !window.AudioContext) return "unsupported";
  return null;
}

const CODES = {
  NotAllowedError: "denied",
  SecurityError: "denied",
  NotFoundError: "missing",
  DevicesNotFoundError: "missing",
  NotReadableError: "occupied",
  AbortError: "occupied",
};

async function ask(device) {
  try {
    return await navigator.mediaDevices.getUserMedia({
      audio: device ? { ...RAW, deviceId: { exact: device } } : RAW,
    });
  } catch (error) {
    // If the stored microphone is no longer connected, use another one.
    if (error.name === "OverconstrainedError" && device) return ask("");
    throw new MicrophoneError(CODES[error.name] ?? "occupied");
  }
}

export async function openMicrophone(device) {
  const problem = whyNot();
  if (problem) throw new MicrophoneError(problem);
  return new Microphone(await ask(device));
}

class Microphone {
  constructor(stream) {
    this.stream = stream;
    this.context = new AudioContext();
    this.analyser = this.context.createAnalyser();
    this.analyser.fftSize = 2048;
    this.samples = new Float32Array(this.analyser.fftSize);
    this.context.createMediaStreamSource(stream).connect(this.analyser);
    // A context that was not created in an event handler may start suspended.
    this.context.resume();
  }

  get track() {
    return this.stream.getAudioTracks()[0];
  }

  get device() {
    return this.track.getSettings().deviceId ?? "";
  }

  // The latest 40 ms: their peak (0 to 1), and that peak in decibels of full scale.
  level() {
    this.analyser.getFloatTimeDomainData(this.samples);
    let peak = 0;
    for (const sample of this.samples) peak = Math.max(peak, Math.abs(sample));
    return { peak, decibels: peak > 0 ? Math.max(FLOOR, 20 * Math.log10(peak)) : FLOOR };
  }

  async others() {
    const devices = await navigator.mediaDevices.enumerateDevices();
    return devices.filter((device) => device.kind === "audioinput" && device.deviceId);
  }

  close() {
    for (const track of this.stream.getTracks()) track.stop();
    this.context.close();
  }
}

const TYPES = [
  ["audio/webm;codecs=opus", "webm"],
  ["audio/ogg;codecs=opus", "ogg"],
  ["audio/mp4", "m4a"],
  ["audio/webm", "webm"],
];

// The best format that this browser records, and its file suffix.
export function recordingType() {
  return TYPES.find(([type]) => MediaRecorder.isTypeSupported(type)) ?? ["", "webm"];
}
