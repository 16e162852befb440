"""
A queue that overflows
======================

A server is usually idle; how often do twenty wait at once within a hundred events? Each event is an arrival
(with probability 0.3) or a departure: a candidate is a row of a hundred bits. The exact answer is a product
of matrices.
"""

import matplotlib.pyplot as plt
import numpy as np

import cem

arrival, events, room = 0.3, 100, 20


def longest(x):
    """Return the longest queue, for rows of 1 (an arrival) and 0 (a departure, if anybody is there)."""
    waiting, most = np.zeros(len(x), int), np.zeros(len(x), int)
    for step in x.T:
        waiting = np.maximum(waiting + 2 * step - 1, 0)
        most = np.maximum(most, waiting)
    return most


move = np.zeros((room + 1, room + 1))  # the chain of queue lengths; the last one is kept
move[np.arange(room), np.arange(1, room + 1)] = arrival
move[np.arange(room), np.maximum(np.arange(room) - 1, 0)] += 1 - arrival
move[room, room] = 1
exact = np.linalg.matrix_power(move, events)[0, room]

e = cem.estimate_probability(longest, cem.Bernoulli([arrival] * events), level=room, vectorized=True, rng=1)
print(f"exact {exact:.4e}, estimated {e.probability:.4e}, 95 % in {e.confidence_interval()}, {e.nfev} calls")
print(f"plain simulation would see one in {1 / exact:,.0f} draws")

# %%
# How it comes about: given an overflow, arrivals and departures change places until the room is full (the
# dashed line is 1 - 0.3, what theory says of a long climb), wherever among the hundred events it begins.

x, weights = e.failure_samples()
rng = np.random.default_rng(0)
fig, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
fig.suptitle("Queues with an overflow beside usual ones, and what is common before it")
for rows, colour in (
    ((rng.random((5, events)) < arrival).astype(int), "0.6"),
    (x[rng.choice(len(x), 5, p=weights)], "#D55E00"),
):
    for row in rows:
        queue = [0]
        for step in row:
            queue.append(max(queue[-1] + 2 * step - 1, 0))
        axes[0].step(np.arange(events + 1), queue, color=colour, lw=1, where="post")
axes[0].axhline(room, color="black", lw=1)
axes[0].set_xlabel("event")
axes[0].set_ylabel("in the queue (grey: usual)")

height = np.zeros((len(x), events), int)  # the queue before each event
for k in range(1, events):
    height[:, k] = np.maximum(height[:, k - 1] + 2 * x[:, k - 1] - 1, 0)
before = np.maximum.accumulate(height, axis=1) < room
share = [(weights @ (before & (height == h) & (x == 1))).sum() for h in range(room)]
total = [(weights @ (before & (height == h))).sum() for h in range(room)]
axes[1].plot(np.divide(share, total), "o-", color="#D55E00", label="given an overflow")
axes[1].axhline(arrival, color="0.6", label="usually")
axes[1].axhline(1 - arrival, color="black", ls="--", lw=1)
axes[1].set_xlabel("in the queue")
axes[1].set_ylabel("probability that the next event is an arrival")
axes[1].legend()
plt.show()
