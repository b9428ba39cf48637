// Converts a browser's recording to a WAV file with 16 bits per sample, at the same level.

export async function toWav(blob) {
  const context = new AudioContext();
  try {
    return encode(await context.decodeAudioData(await blob.arrayBuffer()));
  } finally {
    await context.close();
  }
}

export function encode(buffer) {
  const channels = Array.from({ length: buffer.numberOfChannels }, (_unused, index) => buffer.getChannelData(index));
  const frame = 2 * channels.length;
  const size = buffer.length * frame;
  const view = new DataView(new ArrayBuffer(44 + size));
  const write = (at, text) => [...text].forEach((letter, index) => view.setUint8(at + index, letter.charCodeAt(0)));
  write(0, "RIFF");
  view.setUint32(4, 36 + size, true);
  write(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, channels.length, true);
  view.setUint32(24, buffer.sampleRate, true);
  view.setUint32(28, buffer.sampleRate * frame, true);
  view.setUint16(32, frame, true);
  view.setUint16(34, 16, true);
  write(36, "data");
  view.setUint32(40, size, true);
  let at = 44;
  for (let index = 0; index < buffer.length; index += 1) {
    for (const channel of channels) {
      const sample = Math.max(-1, Math.min(1, channel[index]));
      view.setInt16(at, Math.round(sample * 32767), true);
      at += 2;
    }
  }
  return new Blob([view], { type: "audio/wav" });
}
