"""Draw `loop.png`, the picture of the README: ``python docs/images/loop.py``."""

from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("agg")
from matplotlib import pyplot as plt

import cem
from cem.plotting.axes import COLOURS


def valley(x):
    return (1 - x[:, 0]) ** 2 + 3 * (x[:, 1] - x[:, 0] ** 2) ** 2


seen = []
start = cem.Gaussian([-0.6, 1.6], covariance=[[0.4, 0.0], [0.0, 0.4]])
cem.optimize(
    valley,
    start,
    vectorized=True,
    method="textbook",
    population=200,
    max_iterations=11,
    callback=lambda intermediate_result: seen.append(intermediate_result),
    rng=4,
)
fig, axes = plt.subplots(1, 4, figsize=(11, 2.9), layout="constrained", sharex=True, sharey=True)
x, y = np.meshgrid(np.linspace(-2, 2, 200), np.linspace(-0.8, 3, 200))
height = np.log10(valley(np.stack([x.ravel(), y.ravel()], axis=1)) + 1e-2).reshape(x.shape)
family = start
for t, ax in zip((0, 3, 6, 10), axes, strict=True):
    family = start if t == 0 else seen[t - 1].family
    rows, scores = seen[t].population, seen[t].scores
    elite = np.argsort(scores)[:20]
    ax.contour(x, y, height, 10, colors="0.75", linewidths=0.6)
    ax.plot(*rows.T, ".", ms=3, color=COLOURS[5])
    ax.plot(*rows[elite].T, "o", ms=3.5, color=COLOURS[1])
    cem.plotting.distribution(family, ax=ax)
    ax.set(title=f"iteration {t + 1}", xlabel="", ylabel="", xlim=(-2, 2), ylim=(-0.8, 3))
    ax.set_xticks([])
    ax.set_yticks([])
fig.savefig(Path(__file__).with_name("loop.png"), dpi=110)
