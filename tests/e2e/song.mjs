// Songs that no one has the rights to: made up, the same every time, different for every seed.

function dice(seed) {
  let state = (Math.imul(seed, 0x9e3779b9) | 1) >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) / 2 ** 24;
  };
}

/** A WAV file of one channel: `value` of each sample, within −1…1. */
function wav(seconds, rate, value) {
  const length = Math.round(seconds * rate);
  const data = Buffer.alloc(44 + 2 * length);
  data.write("RIFF", 0);
  data.writeUInt32LE(36 + 2 * length, 4);
  data.write("WAVEfmt ", 8);
  data.writeUInt32LE(16, 16);
  data.writeUInt16LE(1, 20);
  data.writeUInt16LE(1, 22);
  data.writeUInt32LE(rate, 24);
  data.writeUInt32LE(2 * rate, 28);
  data.writeUInt16LE(2, 32);
  data.writeUInt16LE(16, 34);
  data.write("data", 36);
  data.writeUInt32LE(2 * length, 40);
  for (let n = 0; n < length; n += 1) {
    data.writeInt16LE(Math.round(Math.max(-1, Math.min(1, value(n / rate))) * 32000), 44 + 2 * n);
  }
  return data;
}

/** White noise, which is no music. */
export function hiss(seconds, rate = 22050) {
  const next = dice(17);
  return wav(seconds, rate, () => 0.75 * next() - 0.375);
}

/** A band of bass, chords and drums; a `Buffer` with a WAV file. */
export function song(seed, seconds, { rate = 22050, silentFrom = Infinity, silentTo = Infinity } = {}) {
  const next = dice(seed);
  const tempo = 1.6 + next() * 0.8;
  const roots = Array.from({ length: 8 }, () => 55 * 2 ** (Math.floor(next() * 12) / 12));
  return wav(seconds, rate, (t) => {
    const beat = t * tempo;
    const since = (beat % 1) / tempo;
    const root = roots[Math.floor(beat / 4) % 8];
    const tone = (k) => Math.sin(2 * Math.PI * root * k * t);
    const noise = next() * 2 - 1;
    const snare = Math.floor(beat) % 2 ? noise * Math.exp(-18 * since) : 0;
    if (t >= silentFrom && t < silentTo) return 0;
    return 0.3 * tone(1) * Math.exp(-4 * since) + 0.08 * (tone(4) + tone(5.04) + tone(5.99)) + 0.25 * snare + 0.01 * noise;
  });
}
