"""
A network's reliability, and the cheapest network that keeps it
===============================================================

Nine routers in a square lattice; each line fails with probability 0.05. First: how often are opposite corners
cut off from one another? Then: which lines may be spared?
"""

import matplotlib.pyplot as plt
import numpy as np

import cem

cell = np.arange(9).reshape(3, 3)
across, down = (cell[:, :-1], cell[:, 1:]), (cell[:-1], cell[1:])
lines = np.concatenate([np.stack([a.ravel(), b.ravel()], axis=1) for a, b in (across, down)])


def connected(works):
    """Return whether the corners are connected, for rows of 0 and 1 by line."""
    reached = np.zeros((len(works), 9), bool)
    reached[:, 0] = True
    for _ in range(8):
        for (i, j), up in zip(lines, works.T == 1, strict=True):
            either = up & (reached[:, i] | reached[:, j])
            reached[:, i] |= either
            reached[:, j] |= either
    return reached[:, 8].astype(float)


fails = cem.Bernoulli([0.05] * len(lines))
e = cem.estimate_probability(lambda x: 1 - connected(1 - x), fails, level=1, vectorized=True, rng=1)
print(f"the corners are cut off with probability {e.probability:.2e}, 95 % in {e.confidence_interval()}")

# %%
# With one random set of failures for all candidates, the cheapest set of lines that keeps
# the corners connected in 97 % of them.

cost = np.random.default_rng(0).integers(1, 6, len(lines))
breaks = fails.sample(300, np.random.default_rng(1))


def price(keep):
    up = connected(keep * (1 - breaks)).mean()
    return cost @ keep + 1000 * max(0.97 - up, 0)


r = cem.optimize(price, cem.Bernoulli([0.5] * len(lines)), max_evaluations=600, rng=1)
print(f"{r.x.sum()} of {len(lines)} lines for {r.fun:.0f} instead of {cost.sum()}")

fig, ax = plt.subplots(figsize=(4, 4), layout="constrained")
place = np.stack(np.divmod(np.arange(9), 3), axis=1)
for (i, j), kept in zip(lines, r.x, strict=True):
    ax.plot(*place[[i, j]].T, color="#0072B2" if kept else "0.85", lw=3 if kept else 1, zorder=1)
ax.scatter(*place.T, s=80, color="0.2", zorder=2)
ax.set_axis_off()
plt.show()
