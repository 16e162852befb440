"""
Buffers in a line of machines: a noisy simulation
=================================================

Four machines in a row with exponential times; eight places for waiting parts are to be shared among the three
gaps so that most parts come through. The simulation is noisy; for so small a line every sharing can be tried.
"""

import itertools

import matplotlib.pyplot as plt
import numpy as np

import cem

rates = np.array([1.0, 0.9, 1.1, 1.0])


def throughput(buffers, rng, parts=400):
    """Return parts per unit of time: each blocks its machine until there is room behind it."""
    times = rng.exponential(1 / rates, (parts, 4))
    left = np.zeros((parts, 5))  # when part k leaves machine m (column m + 1); column 0 is the arrival
    for k in range(parts):
        for m in range(4):
            begins = max(left[k, m], left[k - 1, m + 1] if k else 0.0)
            done = begins + times[k, m]
            room = k - buffers[m] - 1 if m < 3 else -1
            left[k, m + 1] = max(done, left[room, m + 2]) if room >= 0 else done
    return parts / left[-1, 4]


sharings = [s for s in itertools.product(range(9), repeat=3) if sum(s) == 8]
rng = np.random.default_rng(0)
exact = {s: np.mean([throughput(s, rng) for _ in range(6)]) for s in sharings}
best = max(exact, key=exact.get)

# %%
# As a black box: two cuts divide the eight places; averages of four simulations are compared.


def simulate(x, rng):
    a, b = sorted(x)
    return np.mean([throughput((a, b - a, 8 - b), rng) for _ in range(4)])


r = cem.optimize(
    simulate,
    cem.Categorical(np.full((2, 9), 1 / 9)),
    maximize=True,
    noisy=True,
    pass_rng=True,
    max_evaluations=400,
    rng=1,
)
a, b = sorted(r.x)
print(f"found {(a, b - a, 8 - b)}; best of all by long runs {best}")

fig, ax = plt.subplots(layout="constrained")
ax.set_title("Throughput of every sharing of the buffers, and of the one found")
values = np.array(sorted(exact.values()))
ax.plot(values, ".", color="0.6", label="all 45 sharings")
ax.axhline(exact[(a, b - a, 8 - b)], color="#D55E00", label="found")
ax.set_xlabel("rank")
ax.set_ylabel("parts per unit of time")
ax.legend()
plt.show()
