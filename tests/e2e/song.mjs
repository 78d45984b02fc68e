// Synthetic songs as WAV files. A song depends only on its seed.

/** A linear congruential generator of numbers in [0, 1). */
export function random(seed) {
  let state = (Math.imul(seed, 0x9e3779b9) | 1) >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) / 2 ** 24;
  };
}

/** A WAV file with 16-bit samples. `frame(t)` returns a value within −1…1 for each channel, or for all of them. */
function wav(seconds, rate, channels, frame) {
  const frames = Math.round(seconds * rate);
  const bytes = 2 * channels * frames;
  const data = Buffer.alloc(44 + bytes);
  data.write("RIFF", 0);
  data.writeUInt32LE(36 + bytes, 4);
  data.write("WAVEfmt ", 8);
  data.writeUInt32LE(16, 16); // bytes of the format
  data.writeUInt16LE(1, 20); // integer samples
  data.writeUInt16LE(channels, 22);
  data.writeUInt32LE(rate, 24);
  data.writeUInt32LE(2 * channels * rate, 28);
  data.writeUInt16LE(2 * channels, 32);
  data.writeUInt16LE(16, 34); // bits per sample
  data.write("data", 36);
  data.writeUInt32LE(bytes, 40);
  let at = 44;
  for (let n = 0; n < frames; n += 1) {
    const values = [frame(n / rate)].flat();
    for (let channel = 0; channel < channels; channel += 1) {
      const value = Math.max(-1, Math.min(1, values[channel % values.length]));
      at = data.writeInt16LE(Math.round(value * 32000), at);
    }
  }
  return data;
}

/** White noise: non-music. */
export function hiss(seconds, rate = 22050) {
  const next = random(17);
  return wav(seconds, rate, 1, () => 0.75 * next() - 0.375);
}

/** A chord that swells and fades slowly, without drums. */
export function drone(seed, seconds, rate = 22050) {
  const next = random(100 + seed);
  const root = 110 * 2 ** (Math.floor(next() * 12) / 12);
  const partials = [1, 1.5, 2, 2.51, 3, 4].map((ratio) => [ratio * root, 0.1 + 0.2 * next(), next()]);
  return wav(seconds, rate, 1, (t) =>
    partials.reduce((sum, [pitch, swell, phase]) => {
      const level = 0.06 * (1 + Math.sin(2 * Math.PI * (swell * t + phase)));
      return sum + level * Math.sin(2 * Math.PI * pitch * t);
    }, 0));
}

/**
 * A band of bass, chords and drums. With two channels, a lead also plays and moves from side to side.
 * `silentFrom` and `silentTo` limit a part of digital silence, in seconds.
 */
export function song(seed, seconds, { rate = 22050, channels = 1, silentFrom = Infinity, silentTo = Infinity } = {}) {
  const next = random(seed);
  const tempo = 1.6 + next() * 0.8; // beats per second
  const roots = Array.from({ length: 8 }, () => 55 * 2 ** (Math.floor(next() * 12) / 12));
  return wav(seconds, rate, channels, (t) => {
    const beat = t * tempo;
    const since = (beat % 1) / tempo;
    const root = roots[Math.floor(beat / 4) % 8];
    const tone = (k) => Math.sin(2 * Math.PI * root * k * t);
    const noise = next() * 2 - 1;
    const snare = Math.floor(beat) % 2 ? noise * Math.exp(-18 * since) : 0;
    if (t >= silentFrom && t < silentTo) return 0;
    const band = 0.3 * tone(1) * Math.exp(-4 * since) + 0.08 * (tone(4) + tone(5.04) + tone(5.99)) + 0.25 * snare + 0.01 * noise;
    if (channels === 1) return band;
    const lead = 0.1 * tone(Math.floor(beat * 2) % 3 + 8);
    const side = 0.6 * Math.sin(2 * Math.PI * 0.21 * t);
    return [band + lead * (1 + side), band + lead * (1 - side)];
  });
}
