"""torchvision's networks with random weights, and their logits for a noise image. See README.md.

python make_torchvision.py FOLDER. The output has 1.4 GB, so it is not in the repository.
"""

import json
import pathlib
import sys

import torch
import torchvision
from safetensors.torch import save_file

# The height differs from the width, so that swapped axes are detected.
NETWORKS = {
    "vgg19": (64, 48),
    "vgg19_bn": (64, 48),
    "mobilenet_v2": (96, 80),
    "efficientnet_b0": (96, 80),
    "inception_v3": (155, 139),
}
SEED = 5


def noise(shape, seed):
    """Noise in -0.5..0.5, exact in single precision: the upper 24 bits of Numerical Recipes' LCG."""
    state, out = seed, []
    for _ in range(torch.Size(shape).numel()):
        state = (state * 1664525 + 1013904223) % 2**32
        out.append(((state >> 8) - 2**23) / 2**24)
    return torch.tensor(out, dtype=torch.float32).reshape(shape)


def lively(model):
    """Replaces all initial values, because initial values of 0 and 1 would hide errors."""
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(0, 0.1)
                module.momentum = 0.5
            elif getattr(module, "bias", None) is not None:
                module.bias.normal_(0, 0.1)
        if isinstance(model, torchvision.models.Inception3):
            # Otherwise its logits are in the hundreds, where single precision does not resolve 1e-4.
            model.fc.weight.mul_(0.01)
    # Statistics as after training; otherwise values shrink or grow with every layer.
    model.train()
    with torch.no_grad():
        for seed in range(4):
            size = 299 if isinstance(model, torchvision.models.Inception3) else 96
            model(noise((8, 3, size, size), seed + 50))
    return model.eval()


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for name, (rows, columns) in NETWORKS.items():
        torch.manual_seed(SEED)
        weightless = {"init_weights": True} if name in ("vgg19", "vgg19_bn", "inception_v3") else {}
        model = lively(torchvision.models.get_model(name, weights=None, **weightless))
        state = model.state_dict()
        torch.save(state, folder / f"{name}.pth")
        save_file({key: value.contiguous() for key, value in state.items()}, folder / f"{name}.safetensors")
        files = [f"{name}.pth", f"{name}.safetensors"]
        if name == "mobilenet_v2":
            # The older file format, and a training checkpoint.
            torch.save(state, folder / f"{name}_legacy.pth", _use_new_zipfile_serialization=False)
            torch.save({"epoch": 3, "model": state}, folder / f"{name}_checkpoint.pth")
            files += [f"{name}_legacy.pth", f"{name}_checkpoint.pth"]
        shape = (2, 3, rows, columns)
        with torch.no_grad():
            # In double precision, so that differences come from rounding in Rust only.
            logits = model.double()(noise(shape, SEED).double())
        reference = {"made_with": {"torch": torch.__version__, "torchvision": torchvision.__version__},
                     "files": files, "shape": shape, "seed": SEED, "logits": logits.flatten().tolist()}
        (folder / f"{name}.json").write_text(json.dumps(reference))
        print(f"{name}: logits from {logits.min():.3f} to {logits.max():.3f}")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
