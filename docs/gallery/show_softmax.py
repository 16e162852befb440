"""
Softmax regression: three classes, one optimum
==============================================

Three overlapping classes, and the categorical cross-entropy with class weights, convex in nine numbers: by
Newton's method, gradient steps of the Lipschitz length, the cross-entropy method and scikit-learn.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

import cem
from cem.information import categorical_cross_entropy

rng = np.random.default_rng(2)
y = np.repeat([0, 1, 2], [150, 60, 30])
X = np.column_stack([np.ones(240), rng.normal(np.array([[0, 0], [2, 0], [1, 2]])[y])])
weight = len(y) / (3 * np.bincount(y))[y]


def loss(beta, penalty=0.0):
    """Return the mean cross-entropy for nine numbers, and the penalty on all but the intercepts."""
    logits, options = X @ beta.reshape(3, 3), {"from_logits": True, "sample_weight": weight}
    return categorical_cross_entropy(y, logits, **options) + penalty * np.abs(beta.ravel()[3:]).sum()


def shares(beta):
    return softmax(X @ beta, axis=1)


def slope(beta):
    return X.T @ (weight[:, None] * (shares(beta) - np.eye(3)[y])) / len(y)


def newton(beta):
    for _ in range(8):
        p = shares(beta)
        inner = np.eye(3) * p[:, :, None] - p[:, :, None] * p[:, None]
        curvature = np.einsum("n,ni,nj,nab->iajb", weight, X, X, inner).reshape(9, 9) / len(y)
        beta = beta - (np.linalg.pinv(curvature, rcond=1e-10) @ slope(beta).ravel()).reshape(3, 3)
    return beta


def descent(beta, penalty):
    length = 2 / np.linalg.eigvalsh((X.T * weight) @ X / len(y))[-1]  # one by the Lipschitz constant
    for _ in range(3000):
        beta = beta - length * slope(beta)
        beta[1:] = np.sign(beta[1:]) * np.maximum(np.abs(beta[1:]) - length * penalty, 0)
    return beta


def compare(penalty, **settings):
    r = cem.optimize(loss, [0.0] * 9, args=(penalty,), max_evaluations=4000, rng=1)
    theirs = LogisticRegression(class_weight="balanced", tol=1e-9, max_iter=9000, **settings).fit(X[:, 1:], y)
    lines = {
        "cross-entropy method": r.x.reshape(3, 3),
        "gradient": descent(np.zeros((3, 3)), penalty),
        "scikit-learn": np.vstack([theirs.intercept_, theirs.coef_.T]),
    } | ({} if penalty else {"Newton": newton(np.zeros((3, 3)))})
    print(penalty, {name: round(float(loss(beta, penalty)), 6) for name, beta in lines.items()})
    assert np.ptp([shares(beta) for beta in lines.values()], axis=0).max() < 1e-2
    return r.x.reshape(3, 3)


answers = {0.0: compare(0.0, C=np.inf), 0.05: compare(0.05, C=20 / len(y), l1_ratio=1, solver="saga")}

fig, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
fig.suptitle("Three classes and their borders, without and with an L1 penalty")
across, up = np.meshgrid(np.linspace(-3, 5, 200), np.linspace(-3, 5, 200))
grid = np.stack([np.ones_like(up), across, up], axis=-1)
for ax, (penalty, beta) in zip(axes, answers.items(), strict=True):
    ax.contourf(across, up, (grid @ beta).argmax(axis=-1), [-1, 0.5, 1.5, 3], cmap="cividis", alpha=0.3)
    for k, marker in enumerate("os^"):
        ax.scatter(*X[y == k, 1:].T, marker=marker, s=12, label=f"class {k}")
    ax.set_title(f"penalty {penalty}: {np.sum(np.abs(beta[1:]) < 1e-4)} of 6 slopes are 0", fontsize="medium")
axes[0].legend()
plt.show()
