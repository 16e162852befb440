"""Natural-gradient adaptation of independent categories: how a table of probabilities moves by ranks.

Akimoto, Shirakawa, Yoshinari, Uchida, Saito & Nishida (2019), "Adaptive Stochastic Natural Gradient Method
for One-Shot Neural Architecture Search", ICML; as Hamano, Saito, Nomura, Uchida & Shirakawa (2024), "CatCMA:
Stochastic Optimization for Mixed-Category Problems", GECCO '24, Section 3, puts it beside a Gaussian.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cem.families.base import Array, Floats, Index, Mask
from cem.families.categorical import Categorical

FIRST_RATE = 1.0  # trust region of the first step (CatCMA, Table 1); the adapted rate divides it
ALPHA = 1.5  # signal to noise at which the rate stays as it is (Akimoto et al., Section 3.3)
KEPT = (
    0.73  # probability that a row has no label from a floor, where each table is at its floor (CatCMA, (18))
)
LEAST_LENGTH = 1e-30
_PATH, _RATE = "label_path", "label_rate"


def floors(categories: Index) -> Floats:
    """Return the least probability of each position's labels, shape ``(d,)``."""
    others = np.maximum(categories - 1, 1)
    return np.where(categories > 1, (1 - KEPT ** (1 / max(len(categories), 1))) / others, 0.0)


def begin(family: Categorical) -> tuple[Categorical, dict[str, Array]]:
    """Return a family whose tables respect the floors, and the memory before the first batch."""
    free = np.count_nonzero(family.probabilities > 0, axis=1) - 1
    tables = _raised(family.probabilities, family.probabilities > 0, family.categories)
    memory = {_PATH: np.zeros(int(free.sum())), _RATE: np.array([0.0, 1.0])}
    return family.replaced(probabilities=tables), memory


def move(
    family: Categorical, memory: Mapping[str, Any], labels: Index, weights: Floats, active: Mask | None
) -> tuple[Categorical, dict[str, Array]]:
    """Return the family and the memory after a step along the natural gradient.

    The step has length `FIRST_RATE` / Δ in the Fisher metric; Δ grows while successive steps disagree.

    Parameters
    ----------
    family : Categorical
        Labels of probability 0 stay out.
    memory : mapping of str to ndarray
    labels : ndarray of int, shape (n, d)
    weights : ndarray, shape (n,)
        Of the rows; they sum to 1.
    active : ndarray of bool, shape (n, d), optional
        Entries that had a say in the score of their row; the others teach nothing.
    """
    q = family.probabilities
    d, k = q.shape
    possible = q > 0
    seen = weights[:, None] * (np.ones(labels.shape) if active is None else active)
    cells = labels + k * np.arange(d)
    counts = np.bincount(cells.ravel(), seen.ravel(), minlength=d * k).reshape(d, k)
    gradient = np.where(possible, counts - seen.sum(axis=0)[:, None] * q, 0.0)

    whitened = _whitened(q, gradient, possible)
    if not whitened.size:
        return family, dict(memory)
    length = float(np.linalg.norm(whitened)) + LEAST_LENGTH
    (gain, slowness), path = memory[_RATE], memory[_PATH]
    rate = FIRST_RATE / slowness
    moved = _raised(q + rate / length * gradient, possible, family.categories)
    beta = rate / np.sqrt(whitened.size)
    path = (1 - beta) * path + np.sqrt(beta * (2 - beta)) * whitened / length
    gain = (1 - beta) ** 2 * gain + beta * (2 - beta)
    slowness = slowness * np.exp(beta * (gain - float(path @ path) / ALPHA))
    slowness = max(slowness, FIRST_RATE / np.sqrt(whitened.size))  # a path of one step has no memory
    return family.replaced(probabilities=moved), {_PATH: path, _RATE: np.array([gain, slowness])}


def _whitened(q: Floats, gradient: Floats, possible: Mask) -> Floats:
    """Return the gradient times the root of the Fisher information, of the labels but each last one."""
    parts = []
    for table, slope, own in zip(q, gradient, possible, strict=True):
        theta, g = table[own], slope[own][:-1]
        root = np.sqrt(theta[:-1])
        parts.append(g / root + root * (g.sum() / (theta[-1] + np.sqrt(theta[-1]))))
    return np.concatenate(parts)


def _raised(tables: Floats, possible: Mask, categories: Index) -> Floats:
    """Return tables of which no possible label has less than its floor; the others pay for it."""
    count = possible.sum(axis=1)
    least = np.minimum(floors(count), 0.5 / count)[:, None]
    q = np.where(possible, np.maximum(tables, least), 0.0)
    surplus = np.where(possible, q - least, 0.0)
    total = surplus.sum(axis=1, keepdims=True)
    share = np.where(total > 0, surplus / np.where(total > 0, total, 1.0), possible / count[:, None])
    return np.asarray(np.where(possible, least, 0.0) + (1 - count[:, None] * least) * share)
