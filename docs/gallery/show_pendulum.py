"""
Policy search: swinging a pendulum up
=====================================

The motor is too weak to lift the pendulum at once: it has to swing. A policy is four numbers: how hard to
pump energy, how near the top to stop that, and the spring and the damper that hold it there. Its score is the
mean height of the bob over eight seconds from four beginnings. Beside it, four numbers chosen by hand.
"""

import matplotlib.pyplot as plt
import numpy as np

import cem

beginnings = np.array([[np.pi, 0.0], [np.pi - 0.5, 0.5], [np.pi + 0.5, 0.0], [np.pi, -1.0]])
strength, gravity, dt = 3.0, 9.81, 0.02  # the most torque; length and mass are 1, the angle 0 is the top


def swing(policies):
    """Return the bob's height over time, shape (steps, policies, beginnings)."""
    pump, near, spring, damper = policies.T[:, :, None]
    angle, spin = (np.tile(b, (len(policies), 1)) for b in beginnings.T)
    heights = []
    for _ in range(400):
        lacking = gravity * (1 - np.cos(angle)) - spin**2 / 2
        away = pump * (spin + 1e-3) * lacking
        hold = -spring * np.sin(angle) - damper * spin
        torque = np.clip(np.where(np.cos(angle) > near, hold, away), -strength, strength)
        spin = spin + dt * (gravity * np.sin(angle) + torque - 0.05 * spin)
        angle = angle + dt * spin
        heights.append(np.cos(angle))
    return np.array(heights)


def height(policies):
    return swing(policies).mean(axis=(0, 2))


by_hand = np.array([[5.0, 0.95, 25.0, 8.0]])
r = cem.optimize(
    height,
    cem.Gaussian([0.0, 0.5, 0.0, 0.0], std=[3.0, 0.5, 20.0, 5.0]),
    maximize=True,
    vectorized=True,
    method="textbook",
    population=100,
    max_iterations=30,
    rng=1,
)
print(f"{r.x.round(2)}: mean height {r.fun:.3f}; by hand {height(by_hand)[0]:.3f}")

# %%
# On the left how the policies improve; on the right the height from the first beginning.

fig, axes = plt.subplots(1, 2, figsize=(10, 3.5), layout="constrained")
fig.suptitle("How the policies improve, and the pendulum's height over time")
r.plot(ax=axes[0])
axes[0].axhline(height(by_hand)[0], color="black", ls=":", lw=1)
axes[0].set_ylabel("mean height (dotted: by hand)")
seconds = dt * np.arange(400)
axes[1].plot(seconds, swing(r.x[None])[:, 0, 0], color="#0072B2", label="learned")
axes[1].plot(seconds, swing(by_hand)[:, 0, 0], color="black", ls=":", label="by hand")
axes[1].set_xlabel("seconds")
axes[1].set_ylabel("height of the bob")
axes[1].legend()
plt.show()
