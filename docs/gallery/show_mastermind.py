"""
Mastermind
==========

A hidden row of ten pegs in six colours. Each guess is answered by the number of pegs that are right, and of
colours that are right but elsewhere: their sum, the one weighing twice, is the score.
"""

import matplotlib.pyplot as plt
import numpy as np

import cem

hidden = np.random.default_rng(2).integers(0, 6, 10)


def answer(guess):
    right = (guess == hidden).sum()
    common = np.minimum(np.bincount(guess, minlength=6), np.bincount(hidden, minlength=6)).sum()
    return 2 * right + (common - right)


start = cem.Categorical(np.full((10, 6), 1 / 6))
textbook = []
r = cem.optimize(
    answer,
    start,
    maximize=True,
    method="textbook",
    target=20,
    callback=lambda intermediate_result: textbook.append(intermediate_result.family),
    rng=1,
)
default = cem.optimize(answer, start, maximize=True, target=20, rng=1)
print(f"textbook: {r.nfev} guesses; default: {default.nfev} guesses")
assert (default.x == hidden).all()

# %%
# How sure the textbook's distribution is of each peg, iteration by iteration.

ax = cem.plotting.distribution(textbook)
ax.set_title("What is believed of the code, iteration by iteration")
plt.show()
