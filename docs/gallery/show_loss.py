"""
What a predicted probability costs
==================================

The cross-entropy of a prediction where the event came true, beside the squared error: the one has no bound
where a prediction is certain and wrong, the other ends at one. Below, what a classifier comes to that knows
nothing but the base rate.
"""

import matplotlib.pyplot as plt
import numpy as np

import cem
from cem.information import binary_cross_entropy, entropy

print("certain and wrong:", binary_cross_entropy([1], [1e-6]), "nats; squared error", (1 - 1e-6) ** 2)

fig, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
fig.suptitle("The loss of a prediction, and the loss of predicting the base rate always")
cem.plotting.loss(ax=axes[0])
rate = np.linspace(0.001, 0.999, 500)
axes[1].plot(rate, [entropy([r, 1 - r]) for r in rate], color="#0072B2", label="cross-entropy (nats)")
axes[1].plot(rate, rate * (1 - rate), "--", color="#D55E00", label="squared error")
for known in (0.5, 0.1, 0.01):
    lost = entropy([known, 1 - known])
    axes[1].plot(known, lost, "o", color="black", ms=4)
    axes[1].annotate(f"{lost:.3f}", (known, lost), xytext=(6, 2), textcoords="offset points")
axes[1].set_xlabel("base rate")
axes[1].set_ylabel("mean loss")
axes[1].legend(loc="lower center")
plt.show()
