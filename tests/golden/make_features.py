"""Golden vectors of librosa's features for synthetic signals. See README.md.

The signals are formulas that the tests repeat.
"""

import math

import librosa
import numpy as np

from make import RATE, SAMPLES, clicks, digits, lcg, save, sweep

HOP = 512


def noisy(samples, seed):
    """A noise floor at about -60 dB: without it, the spectrum between tones is rounding error."""
    return [s + 0.002 * n for s, n in zip(samples, lcg(len(samples), seed))]


def tones(n, hz, level, fall):
    """Decaying sines."""
    return [
        level * math.exp(-fall * i / RATE) * sum(math.sin(2 * math.pi * f * i / RATE) for f in hz) for i in range(n)
    ]


def band(n):
    """Two alternating chords with three harmonics, a bass, and a noise drum at 132 beats per minute; tuned
    13.7 cents high."""
    tune = 2 ** (0.137 / 12)
    out = [0.0] * n
    beat = RATE * 60 / 132
    noise = lcg(n, 5)
    chords = [(220.0, 261.63, 329.63), (196.0, 246.94, 293.66)]
    for b in range(int(n / beat) + 1):
        start, end = round(b * beat), min(n, round((b + 1) * beat))
        chord = chords[b // 2 % 2]
        for i in range(start, end):
            t = (i - start) / RATE
            v = 0.0
            for f in chord:
                for k in (1, 2, 3):
                    v += math.sin(2 * math.pi * f * tune * k * t) / k
            v += 2 * math.sin(2 * math.pi * chord[0] / 4 * tune * t)
            loud = 1.0 if b % 4 == 0 else 0.6
            drum = loud * math.exp(-40 * t) * noise[i]
            out[i] = 0.06 * math.exp(-2 * t) * v + 0.5 * drum
    return noisy(out, 6)


SIGNALS = {
    "sweep": noisy(sweep(SAMPLES), 3),
    "noise": lcg(SAMPLES, 1),
    "clicks": noisy(clicks(SAMPLES), 8),
    "silence": [0.0] * SAMPLES,
    "chord": noisy(tones(SAMPLES, [f * 2 ** (0.037 / 12) for f in (220, 277.18, 329.63, 1760)], 0.2, 3), 4),
    "band": band(3 * RATE),
}
LONG = {"band": band(12 * RATE)}


def double(samples):
    """Samples in single precision, arithmetic in double: see README.md."""
    return np.asarray(samples, dtype=np.float32).astype(np.float64)


def header(name, y):
    return {"signal": name, "samples": len(y), "sum_of_squares": float(np.sum(y * y))}


def moments(x):
    return [float(np.mean(x)), float(np.var(x))]


def table_row(y):
    """The computation of the notebook that made the Kaggle tables."""
    harmonic, percussive = librosa.effects.hpss(y)
    tempo, _ = librosa.beat.beat_track(y=y, sr=RATE)
    row = []
    for x in (
        librosa.feature.chroma_stft(y=y, sr=RATE),
        librosa.feature.rms(y=y, dtype=np.float64),
        librosa.feature.spectral_centroid(y=y, sr=RATE),
        librosa.feature.spectral_bandwidth(y=y, sr=RATE),
        librosa.feature.spectral_rolloff(y=y, sr=RATE),
        librosa.feature.zero_crossing_rate(y),
        harmonic,
        percussive,
    ):
        row += moments(x)
    row += [float(np.atleast_1d(tempo)[0])]
    for x in librosa.feature.mfcc(y=y, sr=RATE):
        row += moments(x)
    return row


def stacked(y):
    """187 rows, and every fifth of 130 frames; each part has mean 0 and variance 1."""
    parts = [
        librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=RATE)),
        librosa.feature.mfcc(y=y, sr=RATE, n_mfcc=40),
        librosa.feature.chroma_stft(y=y, sr=RATE),
        librosa.feature.spectral_contrast(y=y, sr=RATE),
    ]
    out = np.vstack([(p - p.mean()) / p.std() for p in parts])[:, :130]
    return np.pad(out, [(0, 0), (0, 130 - out.shape[1])])[:, ::5]


def features(name, samples):
    y = double(samples)
    S = np.abs(librosa.stft(y))
    chroma = librosa.feature.chroma_stft(y=y, sr=RATE)
    mfcc = librosa.feature.mfcc(y=y, sr=RATE)
    harmonic, percussive = librosa.effects.hpss(y)
    onsets = librosa.onset.onset_strength(y=y, sr=RATE)
    log_hz = 55 * 2 ** (np.arange(84) / 12)
    power = S**2
    content = header(name, y) | {
        "rms": librosa.feature.rms(y=y, dtype=np.float64),
        "zero_crossing_rate": librosa.feature.zero_crossing_rate(y),
        "spectral_centroid": librosa.feature.spectral_centroid(S=S, sr=RATE),
        "spectral_bandwidth": librosa.feature.spectral_bandwidth(S=S, sr=RATE),
        "spectral_rolloff": librosa.feature.spectral_rolloff(S=S, sr=RATE),
        "spectral_flatness": librosa.feature.spectral_flatness(S=S),
        "spectral_contrast": librosa.feature.spectral_contrast(S=S, sr=RATE),
        "chroma": chroma,
        "tonnetz": librosa.feature.tonnetz(chroma=chroma),
        "mfcc": mfcc,
        "mfcc_delta": librosa.feature.delta(mfcc)[::4],
        "mfcc_delta2": librosa.feature.delta(mfcc, order=2)[::4],
        "onset_mean": onsets[None],
        "onset_median": librosa.onset.onset_strength(y=y, sr=RATE, aggregate=np.median)[None],
        # Every sixteenth lag, every tenth frame.
        "tempogram": librosa.feature.tempogram(
            onset_envelope=onsets, sr=RATE, win_length=int(8 * RATE / HOP)
        )[::16, ::10],
        # Every 61st sample.
        "harmonic": harmonic[None, ::61],
        "percussive": percussive[None, ::61],
        # From 55 Hz, in semitones; every sixth frame.
        "log_frequency": np.array(
            [np.interp(log_hz, librosa.fft_frequencies(sr=RATE, n_fft=2048), p) for p in power.T[::6]]
        ).T,
        "table_row": np.array(table_row(y))[None],
    }
    if len(y) >= 130 * HOP - HOP:
        content["stacked"] = stacked(y)
    arrays = {k: digits(v, ".7g") for k, v in content.items() if isinstance(v, np.ndarray)}
    tuning = float(librosa.estimate_tuning(S=power, sr=RATE, bins_per_octave=12))
    save(f"features_{name}", content | {"tuning": round(tuning, 2)} | arrays)


def beats():
    out = []
    for name, samples in LONG.items():
        y = double(samples)
        tempo, frames = librosa.beat.beat_track(y=y, sr=RATE)
        out.append(header(name, y) | {"tempo": float(np.atleast_1d(tempo)[0]), "beats": [int(b) for b in frames]})
    save("beats", {"cases": out})


def banks():
    """Mel filters on the HTK scale, with and without normalisation; chroma filters at two tunings."""
    mel = [
        {"norm": norm, "rows": digits(librosa.filters.mel(sr=RATE, n_fft=512, n_mels=20, htk=True, norm=norm), ".7g")}
        for norm in (None, "slaney")
    ]
    chroma = [
        {"tuning": tuning, "rows": digits(librosa.filters.chroma(sr=RATE, n_fft=512, tuning=tuning), ".7g")}
        for tuning in (0.0, -0.23)
    ]
    save("feature_banks", {"n_fft": 512, "mel_htk": mel, "chroma": chroma})


if __name__ == "__main__":
    for name, samples in SIGNALS.items():
        features(name, samples)
    beats()
    banks()
