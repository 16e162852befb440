"""Products given as they are: their parts by name, and the one Gaussian and Categorical that they make up."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.linalg import block_diag

from cem.families.base import Array, Family, Floats, Index
from cem.families.bernoulli import Bernoulli
from cem.families.categorical import Categorical
from cem.families.factored_gaussian import FactoredGaussian
from cem.families.gaussian import Gaussian
from cem.families.product import Product
from cem.plans.mixed_space import LABELS, NUMBERS


@dataclass(frozen=True, eq=False)
class Parts:
    """The names of a product's parts: a candidate is a dict with a scalar or an array for each."""

    product: Product

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parts."""
        return self.product.names

    def dicts(self, rows: Array) -> list[dict[str, Any]]:
        """Return rows, shape ``(n, d)``, as dicts."""
        arrays = self.arrays(rows)
        return [
            {name: values[i].item() if values.ndim == 1 else values[i] for name, values in arrays.items()}
            for i in range(len(rows))
        ]

    def arrays(self, rows: Array) -> dict[str, Any]:
        """Return rows, shape ``(n, d)``, as a dict of arrays, shape ``(n,)`` or ``(n, k)``."""
        out = {}
        triples = zip(self.names, self.product.columns, self._whole, strict=True)
        for name, columns, whole in triples:
            values = np.array(rows[:, columns if columns.size > 1 else columns[0]])
            out[name] = values = values.astype(np.int64) if whole else values
            values.flags.writeable = False
        return out

    @cached_property
    def _whole(self) -> list[bool]:
        """Which parts draw whole numbers."""
        return [
            np.asarray(p.sample(1, np.random.default_rng(0))).dtype.kind in "iub" for p in self.product.parts
        ]

    @cached_property
    def joint(self) -> Family:
        """The same distribution by one Gaussian and one Categorical, where it is made of such parts."""
        return joined(self.product)

    def as_given(self, family: Family) -> Family:
        """Return a distribution over the rows as the product of its marginals for each part."""
        return family if self.joint is self.product else separated(family, self.product)


def joined(product: Product) -> Family:
    """Return the same distribution by one Gaussian, one Categorical, or a product of both.

    Where it has other parts than Gaussians, Categoricals and Bernoullis, it stays as it is.
    """
    if not all(
        isinstance(part, Gaussian | FactoredGaussian | Categorical | Bernoulli) for part in product.parts
    ):
        return product
    numbers = [k for k, part in enumerate(product.parts) if hasattr(part, "plain")]
    labels = [k for k in range(len(product.parts)) if k not in numbers]
    columns = [
        np.concatenate([product.columns[k] for k in some]) if some else np.zeros(0, dtype=np.int64)
        for some in (numbers, labels)
    ]
    gaussian, categorical = None, None
    if numbers:
        plain = [product.parts[k].plain for k in numbers]
        mean = np.concatenate([each.mean for each in plain])
        if all(each.diagonal for each in plain):
            gaussian = Gaussian(mean, std=np.concatenate([each.std for each in plain]))
        else:
            blocks = [np.diag(each.std**2) if each.diagonal else each.covariance for each in plain]
            gaussian = Gaussian(mean, covariance=block_diag(*blocks))
    if labels:
        categorical = Categorical([table for k in labels for table in _tables(product.parts[k])])
    if gaussian is not None and categorical is not None:
        return Product.over(
            dict(zip((NUMBERS, LABELS), columns, strict=True)), numbers=gaussian, labels=categorical
        )
    whole = np.concatenate(columns)
    if not np.array_equal(whole, np.arange(whole.size)):
        return product
    return gaussian or categorical or product


def separated(family: Any, product: Product) -> Product:
    """Return the marginals of a distribution that `joined` made of `product`, part by part."""
    parts: dict[str, Any] = {}
    for name, part, columns in zip(product.names, product.parts, product.columns, strict=True):
        if isinstance(part, Gaussian | FactoredGaussian):
            source, at = _located(family, NUMBERS, columns)
            plain = source.plain
            if plain.diagonal:
                parts[name] = Gaussian(plain.mean[at], std=plain.std[at])
            else:
                parts[name] = Gaussian(plain.mean[at], covariance=plain.covariance[np.ix_(at, at)])
            continue
        source, at = _located(family, LABELS, columns)
        rows = [source.probabilities[c][: source.categories[c]] for c in at.tolist()]
        parts[name] = (
            Bernoulli([row[1] for row in rows]) if isinstance(part, Bernoulli) else Categorical(rows)
        )
    return product.with_parts(**parts)


def _located(family: Any, name: str, columns: Index) -> tuple[Any, Index]:
    """Return the part that draws some columns, and their places in it."""
    if not isinstance(family, Product):
        return family, columns
    place = {int(c): i for i, c in enumerate(family.columns[family.names.index(name)])}
    return family[name], np.array([place[int(c)] for c in columns])


def _tables(part: Any) -> list[Floats]:
    """Return a table for each position of a family of labels."""
    if isinstance(part, Bernoulli):
        return [np.array([1 - p, p]) for p in part.p]
    return [row[:k] for row, k in zip(part.probabilities, part.categories.tolist(), strict=True)]
