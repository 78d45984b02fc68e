"""Measures every task of features.rs with librosa, on one core, and prints the milliseconds as JSON.

features.py FILE ROUNDS, where FILE has the signal as 32-bit floats.
"""

import json
import sys
import time

import librosa
import numpy as np

RATE = 22050
y = np.fromfile(sys.argv[1], dtype="<f4")
rounds = int(sys.argv[2])


def shape():
    S = np.abs(librosa.stft(y))
    librosa.feature.spectral_centroid(S=S, sr=RATE)
    librosa.feature.spectral_bandwidth(S=S, sr=RATE)
    librosa.feature.spectral_rolloff(S=S, sr=RATE)


def table():
    """The features of the Kaggle tables, as in their notebook, with one transform where librosa allows it."""
    S = np.abs(librosa.stft(y))
    harmonic, percussive = librosa.effects.hpss(y)
    tempo, _ = librosa.beat.beat_track(y=y, sr=RATE)
    for x in (
        librosa.feature.chroma_stft(S=S**2, sr=RATE),
        librosa.feature.rms(y=y),
        librosa.feature.spectral_centroid(S=S, sr=RATE),
        librosa.feature.spectral_bandwidth(S=S, sr=RATE),
        librosa.feature.spectral_rolloff(S=S, sr=RATE),
        librosa.feature.zero_crossing_rate(y),
        harmonic,
        percussive,
        *librosa.feature.mfcc(S=librosa.power_to_db(librosa.feature.melspectrogram(S=S**2, sr=RATE))),
    ):
        x.mean(), x.var()


TASKS = {
    "57 features": table,
    "log-mel": lambda: librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=RATE)),
    "HPSS": lambda: librosa.effects.hpss(y),
    "MFCC": lambda: librosa.feature.mfcc(y=y, sr=RATE),
    "chroma": lambda: librosa.feature.chroma_stft(y=y, sr=RATE),
    "centroid, bandwidth, rolloff": shape,
    "contrast": lambda: librosa.feature.spectral_contrast(y=y, sr=RATE),
    "tempo and beats": lambda: librosa.beat.beat_track(y=y, sr=RATE),
}

times = {}
for name, task in TASKS.items():
    task()  # numba compiles in the first run
    times[name] = []
    for _ in range(rounds):
        start = time.perf_counter()
        task()
        times[name].append(1e3 * (time.perf_counter() - start))
print(json.dumps(times))
