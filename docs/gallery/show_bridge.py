"""
How often is the way over the bridge long?
==========================================

Five edges with exponential lengths, as in the tutorial of De Boer, Kroese, Mannor and Rubinstein (2005): the
probability that the shortest path is at least 2 is 1.34e-5; plain simulation would need tens of millions of
draws.
"""

import matplotlib.pyplot as plt
import numpy as np

import cem

mean = [0.25, 0.4, 0.1, 0.3, 0.2]


def shortest(x):
    ways = x[:, [0, 0, 1, 1]] + x[:, [3, 2, 4, 2]]
    ways[:, [1, 3]] += x[:, [4, 3]]
    return ways.min(axis=1)


estimate = cem.estimate_probability(shortest, cem.Exponential(mean), level=2, vectorized=True, rng=1)
print(estimate)

# %%
# The levels, the answer beside the exact value, the weights that it rests on, and what a failure looks like.

fig, axes = plt.subplots(1, 3, figsize=(13, 4), layout="constrained")
fig.suptitle("A long way over the bridge: levels and estimate, weights, and edges given a failure")
estimate.plot(ax=axes[0], reference=1.34246e-5)
cem.plotting.weights(estimate, ax=axes[1])
x, w = estimate.failure_samples()
axes[2].bar(np.arange(1, 6) - 0.2, mean, 0.4, label="usually", color="#56B4E9")
axes[2].bar(np.arange(1, 6) + 0.2, w @ x, 0.4, label="given a long way", color="#D55E00")
axes[2].set_xlabel("edge")
axes[2].set_ylabel("mean length")
axes[2].legend()
plt.show()
