"""Golden vectors of augmentation: librosa's time stretch and pitch shift of a synthetic signal. See README.md.
"""

import librosa
import numpy as np

from make import RATE, chord, digits, lcg, save

SAMPLES = 9000  # 0.4 s; not a multiple of the hop
EVERY = 16


def main():
    # Noise, so that rounding cannot change the phase of any bin much.
    signal = [tones + 0.001 * noise for tones, noise in zip(chord(SAMPLES), lcg(SAMPLES, 5))]
    # Single precision, as in Rust, then double: see README.md.
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
