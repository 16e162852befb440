"""
Logistic regression, three ways to one optimum
==============================================

The log loss is a cross-entropy. It is convex, so Newton's method, gradient steps of the Lipschitz length and
the cross-entropy method must meet; the last needs no derivative, and an L1 penalty is no trouble to it.
"""

import matplotlib.pyplot as plt
import numpy as np

import cem
from cem.information import log_loss

rng = np.random.default_rng(1)
X = np.column_stack([np.ones(200), rng.standard_normal((200, 3))])
y = (rng.random(200) < 1 / (1 + np.exp(-X @ [0.5, 2.0, -1.0, 0.0]))).astype(int)
weight = np.where(y == 1, 0.5 / y.mean(), 0.5 / (1 - y.mean()))  # both classes count the same


def loss(beta, penalty=0.0):
    return log_loss(y, X @ beta, from_logits=True, sample_weight=weight) + penalty * np.abs(beta[1:]).sum()


def gradient(beta):
    p = 1 / (1 + np.exp(-X @ beta))
    return X.T @ (weight * (p - y)) / weight.sum(), (X.T * (weight * p * (1 - p))) @ X / weight.sum()


newton, newton_path = np.zeros(4), []
for _ in range(8):
    slope, curvature = gradient(newton)
    newton = newton - np.linalg.solve(curvature, slope)
    newton_path.append(loss(newton))

lipschitz = np.linalg.eigvalsh((X.T * weight) @ X / weight.sum())[-1] / 4
step, gradient_path = np.zeros(4), []
for _ in range(400):
    step = step - gradient(step)[0] / lipschitz
    gradient_path.append(loss(step))

r = cem.optimize(loss, [0.0] * 4, max_evaluations=3000, rng=1)
sparse = cem.optimize(lambda b: loss(b, 0.1), [0.0] * 4, max_evaluations=3000, rng=1)
print(np.round([newton, step, r.x], 4), "with an L1 penalty", sparse.x.round(3), sep="\n")
assert np.abs(r.x - newton).max() < 1e-3

# %%
# Newton takes a handful of steps, the gradient hundreds, the cross-entropy method evaluations only.

fig, ax = plt.subplots(layout="constrained")
best = newton_path[-1]
ax.semilogy(np.arange(1, 9), np.maximum(np.array(newton_path) - best, 1e-16), "o-", label="Newton, per step")
ax.semilogy(np.maximum(np.array(gradient_path) - best, 1e-16), "--", label="gradient, per step")
ax.semilogy(
    r.history.nfev,
    np.maximum(r.history.best - best, 1e-16),
    "-.",
    label="cross-entropy method, per evaluation",
)
ax.set_xscale("log")
ax.set_xlabel("steps or evaluations")
ax.set_ylabel("log loss above the optimum (nats)")
ax.legend()
plt.show()
