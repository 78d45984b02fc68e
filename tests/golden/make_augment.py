"""Golden vectors of augmentation: what librosa makes of a synthetic signal when it stretches it.

See README.md beside this file.
"""

import librosa
import numpy as np

from make import RATE, chord, digits, lcg, save

SAMPLES = 9000  # 0.4 s; no multiple of the hop
EVERY = 16


def main():
    # The noise gives every bin a phase that rounding cannot turn.
    signal = [tones + 0.001 * noise for tones, noise in zip(chord(SAMPLES), lcg(SAMPLES, 5))]
    # Single precision as the Rust side has it, then double: see README.md.
    y = np.asarray(signal, dtype=np.float32).astype(np.float64)

    def case(name, value, result):
        assert result.dtype == np.float64
        return {
            name: value,
            "samples": len(result),
            "peak": float(np.max(np.abs(result))),
            "sum_of_squares": float(np.sum(result * result)),
            "every_16th": digits(result[::EVERY], ".6f"),
        }

    save("augment", {
        "sample_rate": RATE,
        "samples": len(y),
        "sum_of_squares": float(np.sum(y * y)),
        "stretched": [case("rate", r, librosa.effects.time_stretch(y, rate=r)) for r in (0.6, 0.8, 1.0, 1.3, 2.5)],
        "shifted": [case("semitones", s, librosa.effects.pitch_shift(y, sr=RATE, n_steps=s)) for s in (-5.0, 0.5, 3.0, 12.0)],
    })


if __name__ == "__main__":
    main()
