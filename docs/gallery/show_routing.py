"""
Routing flows in a data network
===============================

Eight flows cross a network; each takes one of its four shortest ways whole. A line with capacity c and load f
delays each packet by 1 / (c - f) (Kleinrock, 1964): which ways make the mean delay least? There are few
enough routings, four to the power of eight, to try them all.
"""

import itertools

import matplotlib.pyplot as plt
import numpy as np

import cem

place = np.array([[0, 0.5], [1, 1], [1, 0], [2, 0.6], [3, 1], [3, 0], [4, 0.5], [2, 1.5]])
lines = [divmod(pair, 10) for pair in (1, 2, 12, 13, 23, 17, 74, 34, 35, 25, 45, 46, 56)]
number = {pair: k for k, line in enumerate(lines) for pair in (line, line[::-1])}
capacity = np.array([10, 10, 6, 8, 8, 8, 8, 8, 8, 6, 6, 10, 10])
flows = [(0, 6, 2.5), (0, 4, 2), (1, 5, 2), (2, 4, 2), (7, 6, 1.5), (0, 5, 1.5), (3, 6, 2), (1, 6, 1.5)]


def ways(a, b, passed=()):
    """Yield the ways from a to b as tuples of lines."""
    if a == b:
        yield ()
    for i, j in lines:
        for here, there in ((i, j), (j, i)):
            if here == a and there not in (a, *passed):
                yield from ((number[here, there], *rest) for rest in ways(there, b, (a, *passed)))


uses = np.zeros((8, 4, len(lines)))  # the load that a flow puts on each line, by way
for k, (a, b, rate) in enumerate(flows):
    for way, taken in enumerate(sorted(ways(a, b), key=len)[:4]):
        uses[k, way, list(taken)] = rate


def delay(x):
    """Return the mean delay, for rows of ways by flow; full lines count as nearly full and what is over."""
    load = uses[np.arange(8), x].sum(axis=1)
    room = capacity - load
    each = load / np.maximum(room, 0.1) + 100 * np.maximum(-room, 0)
    return each.sum(axis=1) / sum(rate for *_, rate in flows)


r = cem.optimize(delay, cem.Categorical(np.full((8, 4), 0.25)), vectorized=True, rng=1)
routings = np.array(list(itertools.product(range(4), repeat=8)))
everything = delay(routings)
print(f"found {r.fun:.5f} with {r.nfev} calls; the best of all {len(routings)} is {everything.min():.5f}")
print("all by their shortest ways:", delay(np.zeros((1, 8), int))[0].round(3))

# %%
# The loads, by width; the shortest ways fill lines that the best ones avoid.

fig, axes = plt.subplots(1, 2, figsize=(11, 3.5), layout="constrained")
fig.suptitle("Loads of the lines: the shortest ways, and the ways found")
box = {"boxstyle": "round,pad=0.1", "color": "white", "alpha": 0.8}
for ax, x in zip(axes, (np.zeros(8, int), r.x), strict=True):
    load = uses[np.arange(8), x].sum(axis=0)
    for (i, j), f, c in zip(lines, load, capacity, strict=True):
        colour = plt.cm.cividis_r(min(f / c, 1.0))
        ax.plot(*place[[i, j]].T, color=colour, lw=1 + f, zorder=1, solid_capstyle="round")
        ax.annotate(f"{f:g}/{c}", place[[i, j]].mean(axis=0), fontsize=8, ha="center", bbox=box)
    ax.scatter(*place.T, s=80, color="0.2", zorder=2)
    ax.set_title(f"mean delay {delay(x[None])[0]:.3f}", fontsize="medium")
    ax.set_axis_off()
plt.show()
