"""
Rosenbrock's valley, with the ellipses moving
=============================================

The textbook's loop on a curved valley: a callback keeps every distribution, and the ellipses show how it
turns into the valley and shrinks along it.
"""

import matplotlib.pyplot as plt
import numpy as np

import cem


def rosenbrock(x):
    return (1 - x[:, 0]) ** 2 + 100 * (x[:, 1] - x[:, 0] ** 2) ** 2


start = cem.Gaussian([-1.0, 2.0], covariance=[[1.0, 0.0], [0.0, 1.0]])
families = [start]
result = cem.optimize(
    rosenbrock,
    start,
    vectorized=True,
    method="textbook",
    population=300,
    max_iterations=40,
    callback=lambda intermediate_result: families.append(intermediate_result.family),
    rng=4,
)
print(result.x, result.fun, result.status.name)

# %%
# The same function by the default, which looks around before it says that it has converged.

default = cem.optimize(rosenbrock, bounds=[(-2, 2), (-1, 3)], vectorized=True, rng=1)
print(default.x, default.fun, default.message)

fig, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
x, y = np.meshgrid(np.linspace(-2, 2, 200), np.linspace(-1, 3.5, 200))
axes[0].contour(
    x, y, np.log10(rosenbrock(np.stack([x.ravel(), y.ravel()], 1)) + 1e-3).reshape(x.shape), 12, alpha=0.4
)
cem.plotting.distribution(families[::3], ax=axes[0])
axes[0].set_title("90 % ellipses of every third distribution")
default.plot(ax=axes[1], reference=0.0)
axes[1].set_title("the default: distance to the minimum")
plt.show()
