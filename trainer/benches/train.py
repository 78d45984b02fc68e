"""Measures the parts of a training step in PyTorch with 32 windows on all cores, for four networks of
trainer/recipes/, and prints the milliseconds as JSON.

train.py ROUNDS
"""

import json
import os
import sys
import time

import torch
from torch import nn

rounds = int(sys.argv[1])
torch.manual_seed(1)
torch.set_num_threads(len(os.sched_getaffinity(0)))


def block(inputs, outputs, stride=(1, 1), pool=(1, 1), dropout=0.0):
    layers = [
        nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    ]
    layers += [nn.MaxPool2d(pool)] if pool != (1, 1) else []
    return layers + ([nn.Dropout(dropout)] if dropout > 0 else [])


class InvertedResidual(nn.Module):
    """A block of MobileNetV2, as in torchvision."""

    def __init__(self, inputs, outputs, stride, expansion):
        super().__init__()
        wide = inputs * expansion
        self.residual = stride == 1 and inputs == outputs
        self.layers = nn.Sequential(
            *(unit(inputs, wide, 1) if expansion != 1 else []),
            *unit(wide, wide, 3, stride=stride, padding=1, groups=wide),
            nn.Conv2d(wide, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, x):
        return x + self.layers(x) if self.residual else self.layers(x)


def unit(inputs, outputs, kernel, **options):
    return [
        nn.Conv2d(inputs, outputs, kernel, bias=False, **options),
        nn.BatchNorm2d(outputs),
        nn.ReLU6(inplace=True),
    ]


def mobilenet_v2():
    layers, inputs = unit(3, 32, 3, stride=2, padding=1), 32
    for expansion, outputs, count, stride in [
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    ]:
        for index in range(count):
            layers.append(InvertedResidual(inputs, outputs, stride if index == 0 else 1, expansion))
            inputs = outputs
    return nn.Sequential(
        *layers,
        *unit(320, 1280, 1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(1280, 10),
    )


class Transformer(nn.Module):
    """A pre-norm encoder on the patches of a spectrogram."""

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(1, 96, (16, 3), stride=(16, 3))
        self.positions = nn.Parameter(0.02 * torch.randn(1, 8 * 13, 96))
        self.dropout = nn.Dropout(0.1)
        layer = nn.TransformerEncoderLayer(96, 4, 192, 0.1, "gelu", batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 4, enable_nested_tensor=False)
        self.head = nn.Sequential(nn.LayerNorm(96), nn.Dropout(0.2), nn.Linear(96, 10))

    def forward(self, x):
        tokens = self.patches(x).flatten(2).transpose(1, 2) + self.positions
        return self.head(self.encoder(self.dropout(tokens)).mean(1))


# Name of the recipe: network, input, and by how much a step takes longer than the small CNN's.
NETWORKS = {
    "small-cnn": (
        nn.Sequential(
            *block(1, 24, (2, 1), (2, 2)),
            *block(24, 48, pool=(2, 2)),
            *block(48, 80, pool=(2, 2)),
            *block(80, 128, pool=(2, 1)),
            *block(128, 128),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Dropout(0.3),
            nn.Linear(128, 10),
        ),
        (1, 128, 39),
        1,
    ),
    "cnn-regularized": (
        nn.Sequential(
            *block(1, 32, pool=(2, 2), dropout=0.2),
            *block(32, 64, pool=(2, 2), dropout=0.1),
            *block(64, 64, pool=(2, 2), dropout=0.1),
            nn.Flatten(),
            nn.Linear(64 * 16 * 4, 128),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(128, 10),
        ),
        (1, 128, 39),
        1,
    ),
    "transformer": (Transformer(), (1, 128, 39), 4),
    "mobilenet-v2": (mobilenet_v2(), (3, 128, 128), 8),
}

times = {}
for name, (network, shape, factor) in NETWORKS.items():
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    windows = torch.randn(32, *shape)
    targets = torch.full((32, 10), 0.1)
    for round in range(max(rounds // factor, 2) + 1):
        network.eval()
        start = time.perf_counter()
        with torch.no_grad():
            network(windows)
        judged = time.perf_counter() - start
        network.train()
        start = time.perf_counter()
        loss = nn.functional.cross_entropy(network(windows), targets)
        loss.item()
        forward = time.perf_counter() - start
        optimizer.zero_grad()
        loss.backward()
        backward = time.perf_counter() - start - forward
        optimizer.step()
        step = time.perf_counter() - start
        if round > 0:  # the first round plans and allocates
            for part, seconds in [
                ("judging 32 windows", judged),
                ("forward", forward),
                ("backward", backward),
                ("AdamW", step - forward - backward),
                ("a step", step),
            ]:
                times.setdefault(f"{name}: {part}", []).append(1e3 * seconds)
print(json.dumps(times))
