// Capture of live sound, and the WAV file of a recording. Nothing here speaks to a network.

const SEGMENT_SECONDS = 3;
const LONGEST_SECONDS = 600;

function wav(blocks, rate, name) {
  const length = blocks.reduce((sum, block) => sum + block.length, 0);
  const view = new DataView(new ArrayBuffer(44 + 2 * length));
  const text = (at, words) => [...words].forEach((c, i) => view.setUint8(at + i, c.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, 36 + 2 * length, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, 2 * length, true);
  let at = 44;
  for (const block of blocks)
    for (const sample of block) {
      view.setInt16(at, Math.max(-1, Math.min(1, sample)) * 32767, true);
      at += 2;
    }
  return new File([view], name, { type: "audio/wav" });
}

export const wavFile = (samples, rate, name) => wav([samples], rate, name);

const microphone = () =>
  navigator.mediaDevices.getUserMedia({
    audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
  });

const display = () =>
  navigator.mediaDevices.getDisplayMedia({
    video: true, // without video, no browser offers a choice of tabs
    audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
    systemAudio: "include",
  });

// Time in milliseconds in which the browser has to start processing sound. Firefox without an audio output
// never starts, and settles no promise about it.
const START = 5_000;

// Waits until the context runs and has the worklet.
async function started(context, tapUrl) {
  let timer;
  const late = new Promise((_, reject) => {
    const error = Object.assign(new Error("no sound is processed"), { name: "NoOutput" });
    timer = setTimeout(() => reject(error), START);
  });
  const running = async () => {
    await context.audioWorklet.addModule(tapUrl);
    if (context.state !== "running") await context.resume();
  };
  await Promise.race([running(), late]).finally(() => clearTimeout(timer));
}

// Closes a context. Nothing waits for it, because a context that never ran may never close.
const close = (context) => void context.close().catch(() => {});

// Captures until `stop` is called. live.rs documents the arguments; `source` is "microphone", "tab" or a stream
// of the host's own, which goes on after the capture.
export async function capture(source, tapUrl, onPiece, onLevel, onEnd) {
  const own = typeof source !== "string";
  const stream = own ? source : await (source === "tab" ? display() : microphone());
  const release = () => own || stream.getTracks().forEach((track) => track.stop());
  const [track] = stream.getAudioTracks();
  if (!track) {
    release();
    throw new Error("no sound");
  }
  const context = new AudioContext();
  try {
    await started(context, tapUrl);
  } catch (error) {
    release();
    close(context);
    throw error;
  }
  const rate = context.sampleRate;
  const blocks = [];
  let total = 0;
  let told = 0;
  const input = context.createMediaStreamSource(new MediaStream([track]));
  const tap = new AudioWorkletNode(context, "tap");
  const mute = new GainNode(context, { gain: 0 });
  input.connect(tap).connect(mute).connect(context.destination);
  tap.port.onmessage = ({ data }) => {
    blocks.push(data);
    total += data.length;
    let peak = 0;
    for (const sample of data) peak = Math.max(peak, Math.abs(sample));
    onLevel(peak, total / rate);
    const wanted = Math.round(SEGMENT_SECONDS * rate);
    if (total >= wanted && total - told >= rate) {
      told = total;
      const piece = new Float32Array(wanted);
      let end = wanted;
      for (let i = blocks.length - 1; i >= 0 && end > 0; i -= 1) {
        const part = blocks[i].subarray(Math.max(0, blocks[i].length - end));
        end -= part.length;
        piece.set(part, end);
      }
      onPiece(piece, rate);
    }
    if (total / rate > LONGEST_SECONDS) onEnd();
  };
  track.addEventListener("ended", onEnd);
  return {
    async stop(name) {
      tap.port.onmessage = null;
      track.removeEventListener("ended", onEnd);
      release();
      if (own) input.disconnect();
      close(context);
      return total ? wav(blocks, rate, name) : null;
    },
  };
}
