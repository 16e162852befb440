"""
The cheapest network that keeps its reliability
===============================================

Nine routers in a square lattice, twelve lines at different prices, each of which fails with probability 0.05:
which ones to buy so that opposite corners stay connected as often as is wanted? There are 4096 sets, so the
exact answer to every wish stands beside ours.
"""

import matplotlib.pyplot as plt
import numpy as np

import cem

cell, fails = np.arange(9).reshape(3, 3), 0.05
pairs = ((cell[:, :-1], cell[:, 1:]), (cell[:-1], cell[1:]))
lines = np.concatenate([np.stack([a.ravel(), b.ravel()], axis=1) for a, b in pairs])
cost = np.random.default_rng(0).integers(1, 6, len(lines))

sets = (np.arange(4096)[:, None] >> np.arange(12)) & 1  # every set of lines
reached = np.zeros((4096, 9), bool)
reached[:, 0] = True
for _ in range(8):
    for (i, j), up in zip(lines, sets.T == 1, strict=True):
        either = up & (reached[:, i] | reached[:, j])
        reached[:, i] |= either
        reached[:, j] |= either

reliability = reached[:, 8].astype(float)  # of a set whose lines never fail; now let one after the other fail
for line in range(12):
    without = np.arange(4096) & ~(1 << line)
    reliability = np.where(
        sets[:, line], (1 - fails) * reliability + fails * reliability[without], reliability
    )


def price(x, wanted):
    """Return the cost, and far more where the corners are cut off too often."""
    lacking = wanted - reliability[x @ (1 << np.arange(12))]
    return cost @ x + (100 + 1000 * lacking if lacking > 0 else 0)


found = []
for wanted in (0.8, 0.9, 0.95, 0.985, 0.99):
    r = cem.optimize(price, cem.Bernoulli([0.5] * 12), args=(wanted,), max_evaluations=400, rng=1)
    least = (sets[reliability >= wanted] @ cost).min()
    print(f"{wanted}: {r.fun:.0f} with {r.nfev} calls, exactly {least}")
    found.append(r)

# %%
# Every set, the best for each price, and one of the networks found.

fig, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
fig.suptitle("Price and unreliability of every network, and one that was found")
axes[0].semilogy(sets @ cost, 1 - reliability, ".", ms=2, color="0.7", label="all 4096 sets")
found_at = [1 - reliability[r.x @ (1 << np.arange(12))] for r in found]
axes[0].semilogy([r.fun for r in found], found_at, "D", color="#D55E00", label="found")
axes[0].set_xlabel("price")
axes[0].set_ylabel("probability that the corners are cut off")
axes[0].legend()
box = {"boxstyle": "round,pad=0.1", "color": "white", "alpha": 0.8}
place = np.stack(np.divmod(np.arange(9), 3), axis=1)
for (i, j), kept, each in zip(lines, found[2].x, cost, strict=True):
    axes[1].plot(*place[[i, j]].T, color="#0072B2" if kept else "0.85", lw=1 + kept * 2, zorder=1)
    axes[1].annotate(each, place[[i, j]].mean(axis=0), ha="center", va="center", bbox=box)
axes[1].scatter(*place.T, s=80, color="0.2", zorder=2)
axes[1].set_axis_off()
plt.show()
