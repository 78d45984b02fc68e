"""Writes src/typical.rs: how a genre's training clips usually are, in six plain features.

    python3 src/typical.py features_30_sec.csv clips.csv | rustfmt > src/typical.rs

The first table is the trainer's (`cratedigger features DATA --window 30`) or the published one, which
it repeats within 0.2 %; the second names each clip's part of the fault-filtered partition. Only
training clips are looked at, and only their quantiles are written.
"""

import csv
import statistics
import sys

GENRES = "blues classical country disco hiphop jazz metal pop reggae rock".split()


def traits(row):
    value = {name: float(row[name]) for name in row if name not in ("filename", "label")}
    harmonic, percussive = value["harmony_var"], value["perceptr_var"]
    return [
        value["tempo"],
        value["spectral_centroid_mean"],
        value["zero_crossing_rate_mean"],
        harmonic / (harmonic + percussive),
        value["rms_mean"],
        value["rms_var"] ** 0.5 / value["rms_mean"],
    ]


def quantiles(values):
    tenths = statistics.quantiles(values, n=10, method="inclusive")
    return [tenths[0], tenths[4], tenths[8]]


def main(features, parts):
    with open(parts, newline="") as file:
        train = {row["clip"] for row in csv.DictReader(file) if row["fault_filtered_split"] == "train"}
    clips = {genre: [] for genre in GENRES}
    with open(features, newline="") as file:
        for row in csv.DictReader(file):
            genre, number = row["filename"].split(".")[:2]
            if f"{genre}.{number}" in train:
                clips[genre].append(traits(row))
    everything = [clip for genre in GENRES for clip in clips[genre]]
    print("//! How a genre's training clips usually are. Written by src/typical.py; not to be edited.\n")
    print("/// Clips that these figures are of.")
    print(f"pub const CLIPS: usize = {len(everything)};\n")

    def table(values):
        rows = []
        for column in zip(*values):
            figures = ", ".join(f"{value:.4f}" if value < 10 else f"{value:.1f}" for value in quantiles(column))
            rows.append(f"[{figures}]")
        return "[" + ", ".join(rows) + "]"

    print("/// Of all training clips: the first tenth, the middle and the last tenth of each trait.")
    print(f"pub const ALL: [[f64; 3]; 6] = {table(everything)};\n")
    print("/// The same, genre by genre.")
    print("pub const GENRES: [(&str, [[f64; 3]; 6]); 10] = [")
    for genre in GENRES:
        print(f'("{genre}", {table(clips[genre])}),')
    print("];")

main(*sys.argv[1:])
