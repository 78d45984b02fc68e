"""Golden vectors of librosa and libsndfile for synthetic signals. See README.md.

All signals are formulas that the tests repeat; none is a recording.
"""

import base64
import io
import json
import math
import pathlib

import librosa
import numpy as np
import scipy
import soundfile

HERE = pathlib.Path(__file__).parent
RATE = 22050
SAMPLES = 11025  # not a multiple of a hop, so that the last frame is incomplete

WIDE = {"n_fft": 2048, "hop_length": 512, "n_mels": 128, "fmin": 0.0, "fmax": 11025.0}
NARROW = {"n_fft": 1024, "hop_length": 256, "n_mels": 64, "fmin": 50.0, "fmax": 8000.0}


def lcg(n, seed):
    """Noise in -0.5..0.5, exact in single precision: the upper 24 bits of Numerical Recipes' LCG."""
    state, out = seed, []
    for _ in range(n):
        state = (state * 1664525 + 1013904223) % 2**32
        out.append(((state >> 8) - 2**23) / 2**24)
    return out


def sweep(n):
    """A sweep with amplitude 0.8 from 30 Hz to 10500 Hz, with the same time for every octave."""
    length, octaves = n / RATE, math.log(10500 / 30)
    scale = 2 * math.pi * 30 * length / octaves
    return [0.8 * math.sin(scale * (math.exp(i / RATE / length * octaves) - 1)) for i in range(n)]


def clicks(n):
    """Single samples that are not 0, one of them at each end."""
    out = [0.0] * n
    for at, value in [(0, 1.0), (1000, -1.0), (5512, 0.5), (n - 1, 0.25)]:
        out[at] = value
    return out


def chord(n):
    """Four decaying tones of amplitude 0.2, on an offset of 0.05."""
    return [
        0.05 + math.exp(-3 * i / RATE) * sum(0.2 * math.sin(2 * math.pi * f * i / RATE) for f in (220, 277.5, 330, 1760))
        for i in range(n)
    ]


SIGNALS = {
    "sweep": (sweep(SAMPLES), [WIDE, NARROW]),
    "noise": (lcg(SAMPLES, 1), [WIDE]),
    "clicks": (clicks(SAMPLES), [WIDE]),
    "silence": ([0.0] * SAMPLES, [WIDE]),
    "chord": (chord(SAMPLES), [WIDE, NARROW]),
}


def digits(values, form):
    """Numbers rounded to the digits that the tests need; arrays stay nested."""
    values = np.asarray(values)
    if values.ndim > 1:
        return [digits(row, form) for row in values]
    return [int(v) if v == int(v) else float(format(v, form)) for v in values]


def save(name, content):
    """JSON with one matrix row per line: small, and diffs show changes."""
    content = {"made_with": {m.__name__: m.__version__ for m in (librosa, np, scipy)}} | content
    text = json.dumps(content, separators=(",", ":")).replace("],[", "],\n[").replace(',"', ',\n"')
    (HERE / f"{name}.json").write_text(text + "\n")


def mel(name, samples, cases):
    # Samples in single precision, arithmetic in double: librosa computes in the precision of its input, and
    # the vectors should have no rounding errors of librosa.
    y = np.asarray(samples, dtype=np.float32).astype(np.float64)
    out = []
    for case in cases:
        power = librosa.feature.melspectrogram(y=y, sr=RATE, **case)
        db = librosa.power_to_db(power, ref=np.max, top_db=80)
        assert power.dtype == np.float64
        out.append(case | {"frames": power.shape[1], "power": digits(power, ".9g"), "db": digits(db, ".5f")})
    save(f"mel_{name}", {
        "signal": name,
        "sample_rate": RATE,
        "samples": len(y),
        "sum_of_squares": float(np.sum(y * y)),
        "cases": out,
    })


def banks():
    out = []
    for case in (WIDE, NARROW):
        params = {k: v for k, v in case.items() if k != "hop_length"}
        rows = []
        for row in librosa.filters.mel(sr=RATE, **params):
            used = np.flatnonzero(row)
            first, last = (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 0)
            assert len(used) == last - first
            rows.append([first] + digits(row[first:last], ".9g"))
        out.append(params | {"sample_rate": RATE, "filters": rows})
    save("mel_banks", {"what": "for each band its first bin, then its weights", "banks": out})


def codecs():
    """One second of stereo in the formats that need an encoder."""
    n = RATE
    noise = lcg(n, 7)
    left = [0.4 * math.sin(2 * math.pi * 440 * i / RATE) + 0.02 * noise[i] for i in range(n)]
    right = [0.2 * math.sin(2 * math.pi * 880 * i / RATE) for i in range(n)]
    y = np.stack([left, right], axis=1)
    files = {}
    for name, subtype in [("flac", "PCM_16"), ("ogg", "VORBIS"), ("mp3", "MPEG_LAYER_III")]:
        target = io.BytesIO()
        soundfile.write(target, y, RATE, format=name.upper(), subtype=subtype)
        files[name] = base64.b64encode(target.getvalue()).decode()
    save("codecs", {
        "libsndfile": soundfile.__libsndfile_version__,
        "sample_rate": RATE,
        "samples": n,
        "base64": files,
    })


if __name__ == "__main__":
    for name, (samples, cases) in SIGNALS.items():
        mel(name, samples, cases)
    banks()
    codecs()
