// Sends live sound to the page: mixed to one channel, in blocks of about 50 ms.
registerProcessor(
  "tap",
  class extends AudioWorkletProcessor {
    block = new Float32Array(2048);
    filled = 0;

    process([channels]) {
      const length = channels[0]?.length ?? 0;
      for (let i = 0; i < length; i += 1) {
        let sum = 0;
        for (const channel of channels) sum += channel[i];
        this.block[this.filled] = sum / channels.length;
        this.filled += 1;
        if (this.filled === this.block.length) {
          this.port.postMessage(this.block, [this.block.buffer]);
          this.block = new Float32Array(2048);
          this.filled = 0;
        }
      }
      return true;
    }
  },
);
