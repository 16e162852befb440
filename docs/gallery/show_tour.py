"""
A travelling salesman
=====================

Orders are drawn by transitions: who follows whom. The default search exchanges, inserts and reverses, and
learns from what gains.
"""

import matplotlib.pyplot as plt
import numpy as np

import cem

place = np.random.default_rng(5).random((25, 2))
distance = np.hypot(*(place[:, None] - place).T)


def length(x):
    return distance[x, np.roll(x, -1, axis=1)].sum(axis=1)


r = cem.optimize(length, cem.Permutation(25), vectorized=True, max_evaluations=15_000, rng=1)
print(r.fun, r.message)

# %%
# The tour, and how it was found.

fig, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
fig.suptitle("The tour through 25 places, and how it was found")
tour = np.append(r.x, r.x[0])
axes[0].plot(*place[tour].T, "o-", color="#0072B2")
axes[0].set_aspect("equal")
axes[0].set_axis_off()
r.plot(ax=axes[1])
plt.show()
