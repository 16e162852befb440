"""
Aligning DNA sequences
======================

Each sequence gets as many gaps as fill it up to a common width; a candidate says before which letter each gap
stands. The score adds over pairs of sequences: 1 for equal letters, -1 for others, -2 for
opening a gap and -0.5 for each of its columns. For two sequences dynamic programming (Gotoh, 1982) is exact;
for three the sum of the three pairs' optima is a bound.
"""

import itertools

import matplotlib.pyplot as plt
import numpy as np

import cem

sequences = ["ACGTTGCATCGGATAC", "ACGTCATCGGTTAC", "CGTTGCAGGATTACA"]
extra = 3  # columns beyond the longest sequence


def aligned(x, parts):
    """Return the sequences with their gaps, all of one width."""
    width, begin, rows = max(map(len, parts)) + extra, 0, []
    for part in parts:
        gaps = np.bincount(x[begin : begin + width - len(part)], minlength=width)
        begin += width - len(part)
        rows.append("".join("-" * gap + letter for gap, letter in zip(gaps, part + " ", strict=False))[:-1])
        rows[-1] = rows[-1].ljust(width, "-")
    return rows


def score(x, *parts):
    """Return the sum over pairs of sequences, with affine gaps."""
    total = 0.0
    for one, other in itertools.combinations(aligned(x, parts), 2):
        before = ""
        for a, b in (column for column in zip(one, other, strict=True) if column != ("-", "-")):
            now = "gap above" if a == "-" else "gap below" if b == "-" else "letters"
            total += (1 if a == b else -1) if now == "letters" else -0.5 - 2 * (now != before)
            before = now
    return total


def gotoh(a, b):
    """Return the best score of two sequences: m ends on two letters, g and h on a gap in one of them."""
    m, g, h = np.full((3, len(a) + 1, len(b) + 1), -np.inf)
    m[0, 0] = 0
    for i, j in itertools.product(range(len(a) + 1), range(len(b) + 1)):
        if i and j:
            m[i, j] = max(t[i - 1, j - 1] for t in (m, g, h)) + (1 if a[i - 1] == b[j - 1] else -1)
        if i:
            g[i, j] = max(g[i - 1, j] - 0.5, m[i - 1, j] - 2.5, h[i - 1, j] - 2.5)
        if j:
            h[i, j] = max(h[i, j - 1] - 0.5, m[i, j - 1] - 2.5, g[i, j - 1] - 2.5)
    return max(t[-1, -1] for t in (m, g, h))


def align(*parts):
    labels = max(map(len, parts)) + 1
    start = cem.Categorical(np.full((sum(labels - 1 + extra - len(p) for p in parts), labels), 1 / labels))
    return cem.optimize(score, start, args=parts, maximize=True, max_evaluations=5000, rng=1)


bound = 0.0
for pair in itertools.combinations(sequences, 2):
    bound += gotoh(*pair)
    print(f"two sequences: {align(*pair).fun}, by dynamic programming {gotoh(*pair)}")
r = align(*sequences)
print(f"three: {r.fun}, at most {bound}")
drawn = np.array([list(row) for row in aligned(r.x, sequences)])
drawn = drawn[:, (drawn != "-").any(axis=0)]

fig, ax = plt.subplots(figsize=(9, 2), layout="constrained")
ax.set_title("Three sequences aligned")
ax.imshow((drawn != "-") * np.where((drawn == drawn[0]).all(axis=0), 2, 1), cmap="Blues", vmax=4)
for (row, column), letter in np.ndenumerate(drawn):
    ax.text(column, row, letter, ha="center", va="center")
ax.set_axis_off()
plt.show()
