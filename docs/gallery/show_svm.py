"""
Tuning a support vector machine
===============================

Which kernel, how much regularisation, and, where a kernel has them, its width or its degree: numbers on a log
scale, an integer and a choice in one space. The score is scikit-learn's cross-validated accuracy, 80 calls,
beside as many random ones from the same space.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import cem

X, y = load_digits(return_X_y=True)
X, y = X[:300], y[:300]
space = cem.Space(
    C=cem.Real(1e-3, 1e3, log=True),
    kernel=cem.Choice(
        {
            "linear": cem.Space(),
            "rbf": cem.Space(gamma=cem.Real(1e-6, 1.0, log=True)),
            "poly": cem.Space(degree=cem.Integer(2, 5), coef0=cem.Real(0.0, 2.0)),
        }
    ),
)
tried = []


def accuracy(settings):
    score = cross_val_score(make_pipeline(StandardScaler(), SVC(**settings)), X, y, cv=3).mean()
    tried.append((settings, score))
    return score


r = cem.optimize(accuracy, space, maximize=True, max_evaluations=80, rng=1)
print(r.x, f"accuracy {r.fun:.4f}, {r.status.name}")

# %%
# Random search as most write it: a kernel by lot, numbers uniform on their log scales.

learned, tried, rng = tried, [], np.random.default_rng(2)
for kernel in rng.choice(["linear", "rbf", "poly"], len(learned)):
    settings = {"kernel": kernel, "C": 10 ** rng.uniform(-3, 3)}
    if kernel == "rbf":
        settings["gamma"] = 10 ** rng.uniform(-6, 0)
    if kernel == "poly":
        settings |= {"degree": rng.integers(2, 6), "coef0": rng.uniform(0, 2)}
    accuracy(settings)

fig, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
fig.suptitle("Accuracy of each call, by kernel: the cross-entropy method and random search")
for ax, calls, name in zip(axes, (learned, tried), ("cross-entropy method", "random search"), strict=True):
    for kernel, marker, colour in (
        ("linear", "s", "#009E73"),
        ("rbf", "o", "#0072B2"),
        ("poly", "^", "#D55E00"),
    ):
        at = [k for k, (settings, _) in enumerate(calls) if settings["kernel"] == kernel]
        ax.plot(at, [calls[k][1] for k in at], marker, color=colour, ms=4, label=kernel)
    best = np.maximum.accumulate([score for _, score in calls])
    ax.plot(best, color="black", lw=1, label=f"best so far, {best[-1]:.4f} at last")
    ax.set_xlabel(f"call ({name})")
    ax.legend(fontsize="small", loc="center right")
axes[0].set_ylabel("cross-validated accuracy")
plt.show()
