// Writes graphs as ONNX: the few fields of its protobuf messages that a network needs.
// Field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto

const text = (value) => new TextEncoder().encode(value);

function varint(value) {
  const bytes = [];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) + 128);
  return [...bytes, value];
}

function join(parts) {
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

const number = (field, value) => Uint8Array.from([...varint(field * 8), ...varint(value)]);
const bytes = (field, value) => join([Uint8Array.from([...varint(field * 8 + 2), ...varint(value.length)]), value]);
const string = (field, value) => bytes(field, text(value));

/** An attribute: an integer or a list of them. */
function attribute(name, value) {
  const [type, values] = Array.isArray(value) ? [7, value.map((v) => number(8, v))] : [2, [number(3, value)]];
  return bytes(5, join([string(1, name), ...values, number(20, type)]));
}

const FLOAT = 1;

/** Name and shape of the graph's input or output. */
const port = (field, name, shape) => {
  const dimensions = join(shape.map((side) => bytes(1, number(1, side))));
  const tensor = join([number(1, FLOAT), bytes(2, dimensions)]);
  return bytes(field, join([string(1, name), bytes(2, bytes(1, tensor))]));
};

/** A graph under construction. */
export class Graph {
  #parts = [];
  #count = 0;

  /** Adds weights; returns their name. */
  weights(shape, values) {
    const name = `w${this.#count++}`;
    const raw = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    const sides = shape.map((side) => number(1, side));
    this.#parts.push(bytes(5, join([...sides, number(2, FLOAT), string(8, name), bytes(9, raw)])));
    return name;
  }

  /** Adds a node; returns its output's name. */
  node(type, inputs, attributes = {}) {
    const name = `x${this.#count++}`;
    const named = inputs.map((input) => string(1, input));
    const given = Object.entries(attributes).map(([name, value]) => attribute(name, value));
    this.#parts.push(bytes(1, join([...named, string(2, name), string(4, type), ...given])));
    return name;
  }

  /** The model's file. */
  model(input, shape, output, outputShape) {
    const graph = join([string(2, "graph"), ...this.#parts, port(11, input, shape), port(12, output, outputShape)]);
    return join([number(1, 8), bytes(8, number(2, 13)), bytes(7, graph)]);
  }
}
