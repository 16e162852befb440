"""
Clustering by the cross-entropy method
======================================

k-means' objective has many local minima; here the three centres are one candidate of six numbers.
"""

import matplotlib.pyplot as plt
import numpy as np

import cem

rng = np.random.default_rng(0)
points = np.concatenate([rng.normal(c, 0.4, (60, 2)) for c in ([0, 0], [3, 0.5], [1.5, 2.5])])


def spread(x):
    centre = x.reshape(3, 2)
    return (((points[:, None] - centre) ** 2).sum(axis=2)).min(axis=1).sum()


low, high = points.min(axis=0), points.max(axis=0)
r = cem.optimize(
    spread, bounds=list(zip(np.tile(low, 3), np.tile(high, 3), strict=True)), max_evaluations=4000, rng=1
)
centre = r.x.reshape(3, 2)
print(r.fun, r.status.name)

fig, ax = plt.subplots(layout="constrained")
ax.set_title("Three clusters and their centres")
own = ((points[:, None] - centre) ** 2).sum(axis=2).argmin(axis=1)
for k, (colour, marker) in enumerate((("#0072B2", "o"), ("#D55E00", "s"), ("#009E73", "^"))):
    ax.scatter(*points[own == k].T, color=colour, marker=marker, s=12)
ax.scatter(*centre.T, marker="*", s=250, color="black")
ax.set_aspect("equal")
plt.show()
