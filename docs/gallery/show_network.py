"""
A network's reliability
=======================

Nine routers in a square lattice; each line fails with probability 0.01. How often are opposite corners cut
off from one another? With twelve lines all 4096 states can be added up.
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


fails = cem.Bernoulli([0.01] * len(lines))
e = cem.estimate_probability(lambda x: 1 - connected(1 - x), fails, level=1, vectorized=True, rng=1)
states = (np.arange(4096)[:, None] >> np.arange(12)) & 1
exact = np.exp(fails.log_prob(states)) @ (1 - connected(1 - states))
print(f"exact {exact:.4e}, estimated {e.probability:.4e}, 95 % in {e.confidence_interval()}, {e.nfev} calls")

# %%
# Who is to blame: how often each line is down, given that the corners are cut off. The ends of the diagonal
# hang on two lines each, and nearly all failures are those of one of the two pairs.

x, weights = e.failure_samples()
blame = weights @ x
fig, ax = plt.subplots(figsize=(5, 4), layout="constrained")
ax.set_title("How often each line is down when the corners are cut off", fontsize="medium")
box = {"boxstyle": "round,pad=0.1", "color": "white", "alpha": 0.8}
place = np.stack(np.divmod(np.arange(9), 3), axis=1)
for (i, j), share in zip(lines, blame, strict=True):
    ax.plot(*place[[i, j]].T, color=plt.cm.cividis_r(share), lw=1 + 10 * share, zorder=1)
    ax.annotate(f"{share:.2f}", place[[i, j]].mean(axis=0), ha="center", va="center", bbox=box)
ax.scatter(*place.T, s=80, color=["#D55E00" if k in (0, 8) else "0.2" for k in range(9)], zorder=2)
ax.set_axis_off()
plt.show()
