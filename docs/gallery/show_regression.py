"""
Logistic regression: Newton, gradient steps and the cross-entropy method
========================================================================

The log loss is a cross-entropy, and convex: Newton's method, gradient steps of the Lipschitz length and the
cross-entropy method, which needs no derivative, must meet, and scikit-learn with them. Both classes count
the same (class weights); with an L1 penalty the gradient step is followed by a shrinkage.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression

import cem
from cem.information import log_loss

rng = np.random.default_rng(1)
X = np.column_stack([np.ones(200), rng.standard_normal((200, 3))])
y = (rng.random(200) < 1 / (1 + np.exp(-X @ [0.5, 2.0, -1.0, 0.0]))).astype(int)
weight = np.where(y == 1, 0.5 / y.mean(), 0.5 / (1 - y.mean()))


def loss(beta, penalty=0.0):
    """Return the mean log loss, and the penalty on all but the intercept."""
    return log_loss(y, X @ beta, from_logits=True, sample_weight=weight) + penalty * np.abs(beta[1:]).sum()


def slope(beta):
    return X.T @ (weight * (1 / (1 + np.exp(-X @ beta)) - y)) / weight.sum()


def newton(beta, steps=8):
    for _ in range(steps):
        p = 1 / (1 + np.exp(-X @ beta))
        beta = beta - np.linalg.solve((X.T * (weight * p * (1 - p))) @ X / weight.sum(), slope(beta))
        yield beta


def descent(beta, penalty=0.0, steps=400):
    length = 4 / np.linalg.eigvalsh((X.T * weight) @ X / weight.sum())[-1]  # one by the Lipschitz constant
    for _ in range(steps):
        beta = beta - length * slope(beta)
        beta[1:] = np.sign(beta[1:]) * np.maximum(np.abs(beta[1:]) - length * penalty, 0)
        yield beta


def learn(penalty=0.0):
    r = cem.optimize(loss, [0.0] * 4, args=(penalty,), max_evaluations=3000, rng=1)
    return r, {"cross-entropy method": r.x, "gradient": list(descent(np.zeros(4), penalty))[-1]}


r, plain = learn()
plain["Newton"] = list(newton(np.zeros(4)))[-1]
theirs = LogisticRegression(C=np.inf, class_weight="balanced", tol=1e-8).fit(X[:, 1:], y)
plain["scikit-learn"] = np.append(theirs.intercept_, theirs.coef_)
_, sparse = learn(0.1)
theirs = LogisticRegression(
    C=1 / (0.1 * weight.sum()), l1_ratio=1, solver="saga", class_weight="balanced", tol=1e-8, max_iter=5000
).fit(X[:, 1:], y)
sparse["scikit-learn"] = np.append(theirs.intercept_, theirs.coef_)
for title, answers in (("without a penalty", plain), ("with an L1 penalty of 0.1", sparse)):
    print(title, *(f"{x.round(4)} {name}" for name, x in answers.items()), sep="\n")
    assert np.ptp(list(answers.values()), axis=0).max() < 2e-3

# %%
# Newton takes a handful of steps, the gradient hundreds, the cross-entropy method evaluations only.

fig, ax = plt.subplots(layout="constrained")
ax.set_title("Three ways down to one log loss")
best = loss(plain["Newton"])
for path, style, name in ((newton, "o-", "Newton, per step"), (descent, "--", "gradient, per step")):
    above = [max(loss(beta) - best, 1e-16) for beta in path(np.zeros(4))]
    ax.loglog(np.arange(1, len(above) + 1), above, style, label=name)
above = np.maximum(r.history.best - best, 1e-16)
ax.loglog(r.history.nfev, above, "-.", label="cross-entropy method, per evaluation")
ax.set_xlabel("steps or evaluations")
ax.set_ylabel("log loss above the optimum (nats)")
ax.legend()
plt.show()
