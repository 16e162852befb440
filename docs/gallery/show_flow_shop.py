"""
A flow shop, with its Gantt chart
=================================

Twelve jobs pass five machines in the same order; which order of jobs is done first?
"""

import matplotlib.pyplot as plt
import numpy as np

import cem

times = np.random.default_rng(7).integers(1, 20, (12, 5))


def schedule(order):
    """Return when each job begins on each machine, shape (jobs, machines)."""
    begin, free = np.zeros((len(order), 5)), np.zeros(5)
    for k, job in enumerate(order):
        ready = 0.0
        for m in range(5):
            begin[k, m] = max(ready, free[m])
            ready = free[m] = begin[k, m] + times[job, m]
    return begin


def makespan(order):
    return schedule(order)[-1, -1] + times[order[-1], -1]


r = cem.optimize(makespan, cem.Permutation(12, "position"), max_evaluations=4000, rng=1)
print(f"done after {r.fun:.0f}; in the given order after {makespan(np.arange(12)):.0f}")

# %%
# One row a machine, one colour a job.

fig, ax = plt.subplots(figsize=(9, 3), layout="constrained")
begin = schedule(r.x)
for k, job in enumerate(r.x):
    ax.barh(range(5), times[job], left=begin[k], color=plt.cm.tab20(job), edgecolor="white")
ax.set_title("Gantt chart: twelve jobs on five machines")
ax.invert_yaxis()
ax.set_xlabel("time")
ax.set_ylabel("machine")
plt.show()
