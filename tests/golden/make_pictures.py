"""Golden vectors of spectrogram images, from matplotlib and Pillow. See README.md.
"""

import matplotlib
import numpy as np
import PIL
from matplotlib.colors import Normalize
from PIL import Image, ImageEnhance, ImageFilter

from make import lcg, save

BANDS, FRAMES = 18, 25
TOP_DB = 80.0


def levels():
    """An index into the 256 colours for each pixel: a gradient, a patch with sharp edges, and noise."""
    noise = np.reshape(lcg(BANDS * FRAMES, 3), (BANDS, FRAMES)) + 0.5
    band, frame = np.mgrid[:BANDS, :FRAMES]
    out = 6 * frame + 5 * band
    out[4:9, 3:11] = 250
    out[10:16, 8:20] = (256 * noise[10:16, 8:20]).astype(int)
    out[6, 18] = 255
    out[2, 20] = 0
    assert out.min() >= 0 and out.max() <= 255
    return out


def colour(levels, name):
    # The middle of each level, so that rounding cannot change the level.
    db = -TOP_DB + TOP_DB * (levels + 0.5) / 256
    rgba = matplotlib.colormaps[name](Normalize(-TOP_DB, 0)(db), bytes=True)
    return np.ascontiguousarray(rgba[::-1, :, :3])  # the lowest band at the bottom


def packed(image):
    """The size, and the levels as hexadecimal digits, row by row."""
    return {"width": image.size[0], "height": image.size[1], "rgb": image.tobytes().hex()}


def main():
    grid = levels()
    image = Image.fromarray(colour(grid, "viridis"))
    steps = []

    def step(name, parameters, result):
        steps.append({"step": name} | parameters | packed(result))

    filters = {"nearest": Image.Resampling.NEAREST, "bilinear": Image.Resampling.BILINEAR,
               "bicubic": Image.Resampling.BICUBIC}
    for name, resample in filters.items():
        for size in [(40, 33), (13, 16), (25, 7)]:
            step("resize", {"filter": name}, image.resize(size, resample))
    left, top, width, height = 3, 2, 17, 11
    cropped = image.crop((left, top, left + width, top + height)).resize(image.size, Image.Resampling.BICUBIC)
    step("crop", {"box": [left, top, width, height]}, cropped)
    for radius in (0.5, 1.0, 2.5, 12.0):
        step("blur", {"factor": radius}, image.filter(ImageFilter.GaussianBlur(radius)))
    for name, enhancer in [("contrast", ImageEnhance.Contrast), ("brightness", ImageEnhance.Brightness),
                           ("sharpness", ImageEnhance.Sharpness)]:
        for factor in (0.4, 1.1, 1.2, 3.0):
            step(name, {"factor": factor}, enhancer(image).enhance(factor))
    whole = image.resize((32, 32), Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(1))
    for enhancer, factor in [(ImageEnhance.Contrast, 1.2), (ImageEnhance.Brightness, 1.1),
                             (ImageEnhance.Sharpness, 1.1)]:
        whole = enhancer(whole).enhance(factor)
    step("all", {}, whole)

    save("pictures", {
        "made_with": {m.__name__: m.__version__ for m in (matplotlib, PIL, np)},
        "top_db": TOP_DB,
        "tables": {name: colour(np.arange(256)[None, :], name).tobytes().hex()
                   for name in ("viridis", "magma", "gray")},
        "levels": grid.tolist(),
        "viridis": packed(image),
        "steps": steps,
    })


if __name__ == "__main__":
    main()
