"""Independent parts side by side, each with a name and a family of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np

from cem.families.base import (
    Array,
    Family,
    Floats,
    Index,
    Mask,
    ReadOnly,
    check_fit,
    check_rate,
    check_rows,
    dimension,
    frozen,
    is_family,
    minimum_rows,
)
from cem.families.bernoulli import Bernoulli
from cem.families.bernoulli_mixture import BernoulliMixture
from cem.families.bernoulli_tree import BernoulliTree
from cem.families.categorical import Categorical
from cem.families.categorical_mixture import CategoricalMixture
from cem.families.exponential import Exponential
from cem.families.factored_gaussian import FactoredGaussian
from cem.families.gamma import Gamma
from cem.families.gaussian import Gaussian
from cem.families.gaussian_mixture import GaussianMixture
from cem.families.linkage_tree import LinkageTree
from cem.families.low_rank_gaussian import LowRankGaussian
from cem.families.markov_path import MarkovPath
from cem.families.permutation import Permutation
from cem.families.von_mises_fisher_nakagami import VonMisesFisherNakagami

_STORABLE: Mapping[str, Any] = {
    each.__name__: each
    for each in (
        Bernoulli,
        BernoulliMixture,
        BernoulliTree,
        Categorical,
        CategoricalMixture,
        Exponential,
        FactoredGaussian,
        Gamma,
        Gaussian,
        GaussianMixture,
        LinkageTree,
        LowRankGaussian,
        MarkovPath,
        Permutation,
        VonMisesFisherNakagami,
    )
}


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Product(ReadOnly):
    """Independent parts ``q(x) = Π_k q_k(x_k)``, each a family with a name; immutable.

    The weighted fit is the fit of each part. A row holds the entries of the parts one after another;
    `cem.optimize` hands an objective a dict of them instead: a scalar where a part has one column, an array
    where it has several.

    Parameters
    ----------
    parts : mapping of str to Family, optional
        For names that are no identifiers.
    **named : Family

    Attributes
    ----------
    names : tuple of str
    parts : tuple of Family
    columns : tuple of ndarray of int
        Where the entries of each part stand in a row.

    Raises
    ------
    TypeError
        If a part is no family.
    ValueError
        If there is none, or a name is given twice.

    References
    ----------
    Rubinstein & Kroese (2004), "The Cross-Entropy Method", Springer, Section 2.6: the cross-entropy
    minimiser of a product of families is the product of theirs.

    Examples
    --------
    >>> import cem
    >>> start = cem.Product(size=cem.Gaussian([0.0], std=[1.0]), kind=cem.Categorical([[0.5, 0.5]]))
    >>> start.fit([[1.0, 0], [3.0, 1], [2.0, 1], [2.0, 1]])
    Product(size=Gaussian(mean=[2.], std=[0.70710678]), kind=Categorical(probabilities=[[0.25, 0.75]]))
    """

    names: tuple[str, ...]
    parts: tuple[Any, ...]
    columns: tuple[Index, ...]

    def __init__(self, parts: Mapping[str, Family] | None = None, /, **named: Family) -> None:
        if parts is not None and not isinstance(parts, Mapping):
            raise TypeError(f"parts must be a mapping of names to families, got {type(parts).__name__}.")
        twice = sorted(set(parts or ()) & set(named))
        if twice:
            raise ValueError(f"the part {twice[0]!r} is given twice.")
        given = {**(parts or {}), **named}
        if not given:
            raise ValueError("a product has at least one part: Product(name=family, …).")
        for name, family in given.items():
            if not isinstance(name, str):
                raise TypeError(f"the name of a part is a text, got {name!r}.")
            if not is_family(family):
                raise TypeError(f"the part {name!r} must be a family, got {family!r}.")
        ends = np.cumsum([0, *(dimension(family) for family in given.values())])
        self._set(given, [np.arange(a, b) for a, b in pairwise(ends)])

    @classmethod
    def over(cls, columns: Mapping[str, Any], /, **parts: Family) -> Self:
        """Return a product whose parts have their entries in the given columns, one array of them a part.

        Raises
        ------
        ValueError
            If the columns are not 0 … d - 1 in some order, or not as many as a part has entries.
        """
        self = object.__new__(cls)
        given = [np.asarray(columns[name], dtype=np.int64) for name in parts]
        every = np.concatenate(given)
        sizes = [dimension(family) for family in parts.values()]
        if [each.size for each in given] != sizes or not np.array_equal(
            np.sort(every), np.arange(every.size)
        ):
            raise ValueError(f"parts of {sizes} entries need the columns 0 … {sum(sizes) - 1}, each once.")
        self._set(parts, given)
        return self

    def _set(self, parts: Mapping[str, Any], columns: list[Any]) -> None:
        object.__setattr__(self, "names", tuple(parts))
        object.__setattr__(self, "parts", tuple(parts.values()))
        object.__setattr__(self, "columns", tuple(frozen(each, np.int64) for each in columns))

    def __getitem__(self, name: str) -> Any:
        """Return the part of a name."""
        if name not in self.names:
            raise KeyError(f"{name!r} is none of the parts {', '.join(self.names)}")
        return self.parts[self.names.index(name)]

    def with_parts(self, **parts: Any) -> Self:
        """Return the product with other families of the same size in the place of some parts."""
        own = (parts.get(name, part) for name, part in zip(self.names, self.parts, strict=True))
        return self.replaced(parts=tuple(own))

    @property
    def dimension(self) -> int:
        """Length of a candidate."""
        return sum(each.size for each in self.columns)

    @property
    def minimum_rows(self) -> int:
        """Rows that every part needs for a proper fit."""
        return max(minimum_rows(part) for part in self.parts)

    @property
    def mean(self) -> Floats:
        """Where each part is centred, shape ``(d,)``: its mean, or the likeliest label or value."""
        middle = np.empty(self.dimension)
        for part, columns in zip(self.parts, self.columns, strict=True):
            middle[columns] = _centre(part)
        return middle

    def sample(self, n: int, rng: np.random.Generator, /) -> Array:
        """Draw `n` candidates, shape ``(n, d)``; integers where every part draws integers."""
        drawn = [np.asarray(part.sample(n, rng)) for part in self.parts]
        x = np.empty((n, self.dimension), dtype=np.result_type(*drawn))
        for values, columns in zip(drawn, self.columns, strict=True):
            x[:, columns] = values
        return x

    def log_prob(self, x: Array, /) -> Floats:
        """Sum of the parts' log densities or masses of each row in nats, shape ``(n,)``."""
        x = check_rows(x, self.dimension)
        total = np.zeros(len(x))
        for part, columns in zip(self.parts, self.columns, strict=True):
            total += part.log_prob(x[:, columns])
        return total

    def contains(self, x: Array, /) -> Mask:
        """Return which rows are candidates of every part, shape ``(n,)``."""
        x = check_rows(x, self.dimension)
        inside = np.isfinite(x).all(axis=1)
        for part, columns in zip(self.parts, self.columns, strict=True):
            if (contains := getattr(part, "contains", None)) is not None:
                inside &= contains(x[:, columns])
        return np.asarray(inside)

    def fit(self, x: Array, weights: Array | None = None, /) -> Self:
        """Fit each part by weighted maximum likelihood to its columns."""
        x, w = check_fit(x, weights, self.dimension)
        fitted = (part.fit(x[:, columns], w) for part, columns in zip(self.parts, self.columns, strict=True))
        return self.replaced(parts=tuple(fitted))

    def blend(self, other: Self, rate: float, /) -> Self:
        """Smooth each part."""
        a = check_rate(rate)
        if self.names != other.names:
            raise ValueError("blending needs products with the same parts.")
        pairs = zip(self.parts, other.parts, strict=True)
        return self.replaced(parts=tuple(mine.blend(theirs, a) for mine, theirs in pairs))

    def entropy(self) -> float:
        """Entropy in nats: the sum of the parts'."""
        return float(sum(part.entropy() for part in self.parts))

    def kl_divergence(self, other: object) -> float:
        """Kullback–Leibler divergence KL(self ‖ other) in nats: the sum of the parts'."""
        if not isinstance(other, Product) or self.names != other.names:
            raise TypeError("a closed form needs two products with the same parts.")
        pairs = zip(self.parts, other.parts, strict=True)
        return float(sum(mine.kl_divergence(theirs) for mine, theirs in pairs))

    def to_arrays(self) -> dict[str, Array]:
        """Return the parameters by name; names and classes of the parts as the bytes of their UTF-8."""
        arrays: dict[str, Array] = {}
        for k, (name, part, columns) in enumerate(zip(self.names, self.parts, self.columns, strict=True)):
            arrays[f"{k}/name"] = _as_bytes(name)
            arrays[f"{k}/family"] = _as_bytes(type(part).__name__)
            arrays[f"{k}/columns"] = columns
            arrays |= {f"{k}/parameters/{key}": np.asarray(each) for key, each in part.to_arrays().items()}
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Self:
        """Return the family that `to_arrays` described, bit for bit.

        Raises
        ------
        ValueError
            If an array is missing, or a part is of a class that the package does not have.
        """
        kinds = {**_STORABLE, cls.__name__: cls}
        parts, columns = {}, {}
        for k in range(len({key.partition("/")[0] for key in arrays})):
            try:
                name, kind = (bytes(arrays[f"{k}/{key}"]).decode() for key in ("name", "family"))
                columns[name] = arrays[f"{k}/columns"]
            except KeyError as error:
                raise ValueError(f"a Product cannot be made of these arrays: {error} is missing") from None
            if kind not in kinds:
                raise ValueError(f"a Product holds a {kind}, which is not part of cem")
            start = f"{k}/parameters/"
            own = {key[len(start) :]: each for key, each in arrays.items() if key.startswith(start)}
            parts[name] = kinds[kind].from_arrays(own)
        if not parts:
            raise ValueError("a Product cannot be made of no arrays")
        return cls.over(columns, **parts)

    def __repr__(self) -> str:
        shown = (f"{name}={part!r}" for name, part in zip(self.names, self.parts, strict=True))
        return f"Product({', '.join(shown)})"


def _centre(part: Any) -> Array:
    """Return the mean of a family; the likeliest label or value where it draws labels."""
    probabilities = getattr(part, "probabilities", None)
    if probabilities is not None:
        return np.asarray(np.argmax(probabilities, axis=-1))
    if (p := getattr(part, "p", None)) is not None:
        return np.asarray(p) > 0.5
    mean = getattr(part, "mean", None)
    if isinstance(mean, np.ndarray):
        return mean
    return np.asarray(part.sample(1, np.random.default_rng(0))[0])


def _as_bytes(text: str) -> Array:
    return frozen(np.frombuffer(text.encode(), dtype=np.uint8), np.uint8)
