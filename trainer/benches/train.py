"""Measures the parts of a training step in PyTorch, for the small CNN of trainer/recipes/small-cnn.toml with
32 windows on all cores, and prints the milliseconds as JSON.

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


def block(inputs, outputs, stride=(1, 1), pool=(1, 1)):
    layers = [
        nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    ]
    return layers + ([nn.MaxPool2d(pool)] if pool != (1, 1) else [])


network = nn.Sequential(
    *block(1, 24, (2, 1), (2, 2)),
    *block(24, 48, pool=(2, 2)),
    *block(48, 80, pool=(2, 2)),
    *block(80, 128, pool=(2, 1)),
    *block(128, 128),
    nn.AdaptiveAvgPool2d(1),
    nn.Flatten(),
    nn.Dropout(0.3),
    nn.Linear(128, 10),
)
optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
windows = torch.randn(32, 1, 128, 39)
targets = torch.full((32, 10), 0.1)

times = {}
for round in range(rounds + 1):
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
        for name, seconds in [
            ("judging 32 windows", judged),
            ("a step: forward", forward),
            ("a step: backward", backward),
            ("a step: AdamW", step - forward - backward),
            ("a step", step),
        ]:
            times.setdefault(name, []).append(1e3 * seconds)
print(json.dumps(times))
