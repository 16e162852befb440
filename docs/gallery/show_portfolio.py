"""
A portfolio with little to lose
===============================

Six assets, a thousand scenarios of a year: which shares, none negative and all together one, make the mean
loss of the worst 5 % (the CVaR) smallest, for a wanted mean return? That is a linear program
(Rockafellar and Uryasev, 2000), so the exact answer stands beside ours, which needs the function only.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import LinearConstraint, linprog

import cem

rng = np.random.default_rng(3)
n, d, worst = 1000, 6, 50
mean = np.array([0.02, 0.04, 0.05, 0.07, 0.09, 0.12])
market = rng.standard_t(4, n)  # heavy tails that the assets share
returns = mean + np.outer(market, mean) + rng.normal(size=(n, d)) * 1.5 * mean


def tail_loss(shares):
    """Return the mean of the worst losses, for rows of shares."""
    losses = -returns @ shares.T
    return np.partition(losses, n - worst, axis=0)[n - worst :].mean(axis=0)


def exact(wanted):
    """Return the smallest CVaR by linear programming, over (shares, a threshold, what exceeds it)."""
    cost = np.concatenate([np.zeros(d), [1], np.full(n, 1 / worst)])
    exceeds = np.hstack([-returns, -np.ones((n, 1)), -np.eye(n)])
    earns = np.concatenate([-returns.mean(axis=0), np.zeros(n + 1)])
    return linprog(
        cost,
        A_ub=np.vstack([exceeds, earns]),
        b_ub=np.append(np.zeros(n), -wanted),
        A_eq=[np.concatenate([np.ones(d), np.zeros(n + 1)])],
        b_eq=[1],
        bounds=[(0, 1)] * d + [(None, None)] + [(0, None)] * n,
    ).fun


targets = [0.03, 0.05, 0.07, 0.09]
best, found = [exact(t) for t in targets], []
for wanted in targets:
    rules = [LinearConstraint(np.ones(d), 1, 1), LinearConstraint(returns.mean(axis=0), wanted, np.inf)]
    r = cem.optimize(
        tail_loss,
        bounds=[(0, 1)] * d,
        constraints=rules,
        vectorized=True,
        max_evaluations=6000,
        rng=1,
    )
    found.append(r)
    print(
        f"return {wanted:.2f}: {r.fun:.5f} of exactly {best[len(found) - 1]:.5f}, violated by {r.maxcv:.0e}"
    )

# %%
# The frontier, and what is bought along it: more of what earns more, and less spread than one would think.

fig, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
fig.suptitle("Loss of the worst 5 % against return, and the shares of six assets")
axes[0].plot(best, targets, "o-", color="0.6", label="linear program")
axes[0].plot([r.fun for r in found], targets, "x", color="#D55E00", ms=9, label="cross-entropy method")
axes[0].set_xlabel("mean loss of the worst 5 %")
axes[0].set_ylabel("mean return")
axes[0].legend()
axes[1].stackplot(targets, np.array([r.x for r in found]).T, labels=[f"asset {k + 1}" for k in range(d)])
axes[1].set_xlabel("mean return")
axes[1].set_ylabel("share")
axes[1].legend(fontsize="small")
plt.show()
