"""
Policy search: a pole on a cart
===============================

Four numbers make a linear policy: push right if their product with the state is positive. A policy's score
is how long the pole stays up, at most 500 steps, on the mean of ten beginnings that all policies share.
"""

import matplotlib.pyplot as plt
import numpy as np

import cem

beginnings = np.random.default_rng(0).uniform(-0.05, 0.05, (10, 4))


def steps(policy, keep=None):
    """Return the mean number of steps that a policy lasts (Barto, Sutton and Anderson's cart, 1983)."""
    x, v, angle, spin = beginnings.T.copy()
    lasted, up = np.zeros(10), np.ones(10, bool)
    for _ in range(500):
        force = np.where(policy @ [x, v, angle, spin] > 0, 10.0, -10.0)
        pull = (force + 0.05 * spin**2 * np.sin(angle)) / 1.1
        twist = (9.8 * np.sin(angle) - np.cos(angle) * pull) / (
            0.5 * (4 / 3 - 0.1 * np.cos(angle) ** 2 / 1.1)
        )
        push = pull - 0.05 * twist * np.cos(angle) / 1.1
        x, v, angle, spin = x + 0.02 * v, v + 0.02 * push, angle + 0.02 * spin, spin + 0.02 * twist
        up &= (np.abs(x) < 2.4) & (np.abs(angle) < 0.2095)
        lasted += up
        if keep is not None:
            keep.append(angle[0])
        if not up.any():
            break
    return lasted.mean()


start = cem.Gaussian([0.0] * 4, std=1.0)
few = {"method": "textbook", "population": 16, "elite_fraction": 0.2, "max_iterations": 30}
r = cem.optimize(steps, start, maximize=True, target=500, **few, rng=5)
print(r.x.round(2), r.fun, r.message)

angles = []
steps(r.x, angles)
fig, axes = plt.subplots(1, 2, figsize=(10, 3.5), layout="constrained")
fig.suptitle("The policies improve, and the angle of the pole under the last one")
r.plot(ax=axes[0])
axes[0].set_ylabel("steps")
axes[1].plot(np.degrees(angles), color="#0072B2")
axes[1].set_xlabel("step")
axes[1].set_ylabel("angle of the pole (degrees)")
plt.show()
