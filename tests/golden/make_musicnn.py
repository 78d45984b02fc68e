"""Golden vectors of the published musicnn for synthetic signals, computed with NumPy. See README.md.

python make_musicnn.py WHEEL: `pip download --no-deps musicnn==0.1.0` downloads the wheel. This file is
independent of the Rust code: it has its own reader of TensorFlow's checkpoints, its own input and its own
network.
"""

import pathlib
import struct
import sys
import zipfile

import librosa
import numpy as np

from make import digits, lcg, save
from make_features import band, double, noisy, sweep

RATE = 16000
SAMPLES = 3 * RATE
FRAMES = 187
MODEL = "MSD_musicnn"
EPSILON = 1e-3
DEAD = 1e-6  # a channel whose largest weight is below this is dead
TINY = 1e-12  # smaller values are set to 0

# The formulas are those of make.py, which are defined at 22050 Hz. Here their samples count as 16000 Hz, so
# all frequencies are multiplied by 0.726.
SIGNALS = {
    "band": band(SAMPLES),
    "sweep": noisy(sweep(SAMPLES), 3),
    "noise": [0.1 * v for v in lcg(SAMPLES, 1)],
}


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def message(data):
    """The fields of a protocol buffer message, each with the list of its values."""
    fields, at = {}, 0
    while at < len(data):
        tag, at = varint(data, at)
        if tag & 7 == 0:
            value, at = varint(data, at)
        else:
            length = {1: 8, 5: 4}.get(tag & 7)
            if length is None:
                length, at = varint(data, at)
            value, at = data[at : at + length], at + length
        fields.setdefault(tag >> 3, []).append(value)
    return fields


def block(data, handle):
    """Keys and values of a block of a table; a key is stored without the prefix it shares with the one before."""
    offset, at = varint(handle, 0)
    size, _ = varint(handle, at)
    assert data[offset + size] == 0, "compressed"
    body = data[offset : offset + size]
    restarts = struct.unpack("<I", body[-4:])[0]
    key, at, out = b"", 0, []
    while at < len(body) - 4 - 4 * restarts:
        shared, at = varint(body, at)
        own, at = varint(body, at)
        length, at = varint(body, at)
        key = key[:shared] + body[at : at + own]
        out.append((key, body[at + own : at + own + length]))
        at += own + length
    return out


def checkpoint(wheel):
    """All variables by name, in double precision."""
    with zipfile.ZipFile(wheel) as archive:
        index = archive.read(f"musicnn/{MODEL}/.index")
        data = archive.read(f"musicnn/{MODEL}/.data-00000-of-00001")
    footer = index[-48:]
    _, at = varint(footer, 0)
    _, at = varint(footer, at)
    variables = {}
    for _, handle in block(index, footer[at:]):
        for key, value in block(index, handle):
            if not key:
                continue
            fields = message(value)
            shape = [message(d).get(1, [0])[0] for d in message(fields.get(2, [b""])[0]).get(2, [])]
            offset, size = fields.get(4, [0])[0], fields[5][0]
            values = np.frombuffer(data[offset : offset + size], "<f4")
            variables[key.decode()] = values.reshape(shape).astype(np.float64)
    return variables


def network_input(y):
    """The network's input, [time, band], as in the published code, but without its cast to half precision."""
    power = librosa.feature.melspectrogram(y=y, sr=RATE, n_fft=512, hop_length=256, n_mels=96)
    return np.log10(1 + 10000 * power[:, :FRAMES]).T


def layer(v, kind, number):
    suffix = f"_{number}" if number else ""
    return v[f"{kind}{suffix}/kernel"], v[f"{kind}{suffix}/bias"]


def normalise(v, number, x):
    name = "batch_normalization" + (f"_{number}" if number else "")
    scale = v[f"{name}/gamma"] / np.sqrt(v[f"{name}/moving_variance"] + EPSILON)
    return (x - v[f"{name}/moving_mean"]) * scale + v[f"{name}/beta"]


def convolve(x, kernel, bias):
    """Cross-correlation over time and bands without padding: [time, band] or [time, channel] to
    [time, band, output]."""
    high, wide = kernel.shape[:2]
    patches = np.lib.stride_tricks.sliding_window_view(x, (high, wide))
    flat = patches.reshape(-1, high * wide) @ kernel.reshape(high * wide, -1)
    return (flat + bias).reshape(*patches.shape[:2], -1)


def front_end(v, x):
    """Output of the front-end, [time, 561]."""
    x = normalise(v, 0, x)
    out = []
    for number in range(5):
        kernel, bias = layer(v, "conv2d", number)
        length = len(kernel)
        before = (length - 1) // 2
        padded = np.pad(x, [(before, length - 1 - before), (0, 0)])
        maps = normalise(v, number + 1, np.maximum(convolve(padded, kernel, bias), 0))
        out.append(maps.max(axis=1))
    return np.concatenate(out, axis=1)


def middle(v, number, x):
    kernel, bias = layer(v, "conv2d", number)
    y = convolve(np.pad(x, [(3, 3), (0, 0)]), kernel, bias)[:, 0]
    return normalise(v, number + 1, np.maximum(y, 0))


def back_end(v, x):
    """Embedding and logits of the tags."""
    pooled = np.stack([x.max(axis=0), x.mean(axis=0)], axis=1).reshape(-1)
    kernel, bias = layer(v, "dense", 0)
    embedding = normalise(v, 10, np.maximum(normalise(v, 9, pooled) @ kernel + bias, 0))
    kernel, bias = layer(v, "dense", 1)
    return embedding, embedding @ kernel + bias


def forward(v, x):
    front = front_end(v, x)
    first = middle(v, 5, front)
    second = middle(v, 6, first) + first
    third = middle(v, 7, second) + second
    return back_end(v, np.concatenate([front, first, second, third], axis=1))


def living(kernel):
    """Mask of the outputs of a kernel that are not dead."""
    return np.abs(kernel).reshape(-1, kernel.shape[-1]).max(axis=0) >= DEAD


def constant(v, number):
    """The output of dead channels: the bias after ReLU and batch normalisation."""
    return normalise(v, number + 1, np.maximum(layer(v, "conv2d", number)[1], 0))


def half(x):
    x = np.where(np.abs(x) < TINY, 0, x)
    return x.astype(np.float32).astype(np.float16).astype(np.float64)


def pruned(v, rounded=half):
    """The network without dead channels and with rounded matrices: a function from an input to embedding and
    logits, and the numbers of channels."""
    v = dict(v)
    alive = [living(layer(v, "conv2d", n)[0]) for n in range(8)]
    says = [constant(v, n) for n in range(8)]
    front = np.concatenate(alive[:5])
    first = alive[5]
    second = first | alive[6]
    third = second | alive[7]
    # Constants of dead channels that are added to channels that are not dead.
    added = [np.zeros(64), np.where(first, 0, says[5])]
    fixed2 = np.where(alive[6], 0, says[6]) + added[1]
    fixed3 = np.where(alive[7], 0, says[7]) + np.where(second, 0, fixed2)
    dead = [np.where(front, 0, np.concatenate(says[:5])), np.where(first, 0, says[5]), np.where(second, 0, fixed2)]

    for number in range(5):
        v[f"conv2d{f'_{number}' if number else ''}/kernel"] = rounded(layer(v, "conv2d", number)[0])
    kernels = []
    for place, kept in enumerate((front, first, second)):
        kernel, bias = layer(v, "conv2d", 5 + place)
        kernel = kernel[:, :, 0, :]
        # All dead inputs are replaced by one input that is 1 in every frame and 0 in the padding.
        ones = np.einsum("tio,i->to", kernel, dead[place])
        kernels.append((rounded(kernel[:, kept, :]), rounded(ones), bias))

    def layer_of(place, x, before):
        kernel, ones, bias = kernels[place]
        x = np.concatenate([x, np.ones((len(x), 1))], axis=1)
        kernel = np.concatenate([kernel, ones[:, None, :]], axis=1)[:, :, None, :]
        y = convolve(np.pad(x, [(3, 3), (0, 0)]), kernel, bias)[:, 0]
        y = normalise(v, 6 + place, np.maximum(y, 0))
        y = np.where(alive[5 + place], y, says[5 + place])
        return y + before

    dense, _ = layer(v, "dense", 0)
    tags, _ = layer(v, "dense", 1)
    everything = np.repeat(np.concatenate([front, first, second, third]), 2)
    # The weights of dead channels, which act as a bias, keep full precision; all others are rounded.
    v["dense/kernel"] = np.where(everything[:, None], rounded(dense), dense)
    v["dense_1/kernel"] = rounded(tags)

    def run(x):
        f = np.where(front, front_end(v, x), np.concatenate(says[:5]))
        a = layer_of(0, f[:, front], 0)
        b = layer_of(1, a[:, first], a)
        c = layer_of(2, b[:, second], b)
        return back_end(v, np.concatenate([f, a, b, c], axis=1))

    return run, {"front": [int(a.sum()) for a in alive[:5]], "middle": [int(a.sum()) for a in alive[5:]],
                 "kept": [int(front.sum()), int(first.sum()), int(second.sum()), int(third.sum())]}


def main(wheel):
    v = checkpoint(wheel)
    exact, counts = pruned(v, lambda x: np.where(np.abs(x) < TINY, 0, x))
    rounded, _ = pruned(v)
    print(counts)
    out = []
    for name, samples in SIGNALS.items():
        y = double(samples)
        x = network_input(y)
        whole, small, stored = forward(v, x), exact(x), rounded(x)
        differences = [max(np.abs(a - b).max() for a, b in zip(one, whole)) for one in (small, stored)]
        print(f"{name}: pruned {differences[0]:.2g}, in half precision {differences[1]:.2g}")
        out.append({
            "signal": name,
            "samples": len(y),
            "sum_of_squares": float(np.sum(y * y)),
            # Every eighth band at every sixteenth frame.
            "input": digits(x[::16, ::8], ".6f"),
            "published": {"embedding": digits(whole[0], ".6f"), "logits": digits(whole[1], ".6f")},
            "half": {"embedding": digits(stored[0], ".6f"), "logits": digits(stored[1], ".6f")},
        })
    save("musicnn", {
        "wheel": pathlib.Path(wheel).name,
        "model": MODEL,
        "sample_rate": RATE,
        "frames": FRAMES,
        "channels": counts,
        "signals": out,
    })


if __name__ == "__main__":
    main(sys.argv[1])
