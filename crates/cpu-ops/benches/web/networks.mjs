// The networks of the bench, with random weights: as ONNX, and as the list of values that
// examples/web.rs takes, in the same order.

import { Graph } from "./onnx.mjs";

/** Reproducible values around 0. */
function random(seed) {
  let state = seed >>> 0;
  return (count, scale = 1, centre = 0) =>
    Float32Array.from({ length: count }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return centre + scale * (state / 2 ** 31 - 1);
    });
}

/** Collects weights for both sides. */
class Builder {
  graph = new Graph();
  values = [];
  #random;

  constructor(seed) {
    this.#random = random(seed);
  }

  weights(shape, scale, centre) {
    const values = this.#random(shape.reduce((a, b) => a * b), scale, centre);
    this.values.push(values);
    return this.graph.weights(shape, values);
  }

  conv(x, [inputs, outputs], kernel, pads, strides = [1, 1]) {
    const scale = Math.sqrt(6 / (inputs * kernel[0] * kernel[1]));
    const weights = [this.weights([outputs, inputs, ...kernel], scale), this.weights([outputs], 0.1)];
    const y = this.graph.node("Conv", [x, ...weights], { kernel_shape: kernel, pads, strides });
    return this.graph.node("Relu", [y]);
  }

  /** Scale, shift, mean and variance of each channel, behind the ReLU. */
  norm(x, channels) {
    const parts = [[0.4, 0.7], [0.1, 0], [0.2, 0.3], [0.4, 1]];
    const given = parts.map(([scale, centre]) => this.weights([channels], scale, centre));
    return this.graph.node("BatchNormalization", [x, ...given]);
  }

  dense(x, [inputs, outputs]) {
    const weights = [this.weights([outputs, inputs], Math.sqrt(3 / inputs)), this.weights([outputs], 0.1)];
    return this.graph.node("Gemm", [x, ...weights], { transB: 1 });
  }

  finish(name, shape, output, classes) {
    const length = this.values.reduce((length, values) => length + values.length, 0);
    const weights = new Float32Array(length);
    let at = 0;
    for (const values of this.values) {
      weights.set(values, at);
      at += values.length;
    }
    const input = this.#random(shape.reduce((a, b) => a * b));
    return { name, shape, weights, input, onnx: this.graph.model("x", shape, output, [shape[0], classes]) };
  }
}

/** trainer/recipes/small-cnn.toml, with its batch normalisation folded into the convolutions. */
function smallCnn() {
  const net = new Builder(1);
  const blocks = [[24, [2, 2]], [48, [2, 2]], [80, [2, 2]], [128, [2, 1]], [128, null]];
  let [x, inputs] = ["x", 1];
  for (const [index, [outputs, pool]] of blocks.entries()) {
    x = net.conv(x, [inputs, outputs], [3, 3], [1, 1, 1, 1], index === 0 ? [2, 1] : [1, 1]);
    if (pool) x = net.graph.node("MaxPool", [x], { kernel_shape: pool, strides: pool });
    inputs = outputs;
  }
  x = net.graph.node("Flatten", [net.graph.node("GlobalAveragePool", [x])], { axis: 1 });
  return net.finish("small-cnn", [4, 1, 128, 39], net.dense(x, [inputs, 10]), 10);
}

/** The live channels of MSD_musicnn, layer by layer, on `[bands, columns]`. */
function ear() {
  const net = new Builder(2);
  const { graph } = net;
  const front = [[23, 38, 7], [14, 67, 7], [3, 1, 128], [7, 1, 64], [17, 1, 32]].map(([outputs, high, wide]) => {
    const zeros = wide - 1;
    const pads = [0, Math.floor(zeros / 2), 0, Math.ceil(zeros / 2)];
    const maps = net.norm(net.conv("x", [1, outputs], [high, wide], pads), outputs);
    return graph.node("ReduceMax", [maps], { axes: [2], keepdims: 1 });
  });
  const maps = [graph.node("Concat", front, { axis: 1 })];
  for (const channels of [[64, 20], [20, 61], [61, 63]]) {
    maps.push(net.norm(net.conv(maps.at(-1), channels, [1, 7], [0, 3, 0, 3]), channels[1]));
  }
  const all = graph.node("Concat", [maps[0], maps.at(-1)], { axis: 1 });
  const pooled = ["ReduceMax", "ReduceMean"].map((type) => graph.node(type, [all], { axes: [3], keepdims: 1 }));
  let x = graph.node("Flatten", [graph.node("Concat", pooled, { axis: 1 })], { axis: 1 });
  x = graph.node("Relu", [net.dense(x, [254, 200])]);
  return net.finish("ear", [1, 1, 96, 187], net.dense(x, [200, 50]), 50);
}

export const networks = () => [smallCnn(), ear()];
