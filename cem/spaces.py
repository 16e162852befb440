"""Spaces of named variables: reals, whole numbers and choices, from what users write to rows and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from cem.core.domain import Domain
from cem.core.variables import Choice, Integer, Real
from cem.families.base import Array, Family, Floats, Mask, dimension, is_family
from cem.families.gaussian import Gaussian
from cem.families.product import Product
from cem.plans.mixed_space import MixedSpace, labels_of
from cem.plans.parts import Parts
from cem.plans.start import BOX_STD, POINT_STD
from cem.running import memo
from cem.running.memo import discrete_space
from cem.running.naming import Naming

PREFERRED = 0.5  # probability that a start keeps a label of a given point


Variable = Real | Integer | Choice


@dataclass(frozen=True)
class _Column:
    """A column of rows: its variable, and where it belongs to an option, the column and code of that."""

    name: str
    variable: Any
    parent: int | None
    code: int


@dataclass(frozen=True, init=False, eq=False)
class Space:
    """Named variables, to be searched together.

    Candidates are dicts of Python scalars in the order of the space, the variables behind an option right
    after its choice. Variables behind options that are not chosen are absent; where an objective is
    `vectorized` it gets a dict of arrays, shape ``(n,)``, in which such entries are masked (`numpy.ma`).

    Inside, a candidate is a row with a column for each variable: the logarithm where there is a log scale,
    the number of the option for a choice; `rows` and `dicts` lead there and back.

    Parameters
    ----------
    variables : mapping of str to variable, optional
        For names that are no identifiers.
    **named : Real, Integer or Choice

    Raises
    ------
    TypeError
        If something is no variable.
    ValueError
        If a name is given twice, at any depth.

    Examples
    --------
    >>> import cem
    >>> space = cem.Space(
    ...     rate=cem.Real(1e-5, 1e-1, log=True),
    ...     depth=cem.Integer(1, 12),
    ...     model=cem.Choice({"svm": cem.Space(C=cem.Real(0.1, 10)), "forest": None}),
    ... )
    >>> space.names
    ('rate', 'depth', 'model', 'C')
    >>> space.dicts(space.rows([{"rate": 0.1, "depth": 3, "model": "forest"}]))
    [{'rate': 0.1, 'depth': 3, 'model': 'forest'}]
    """

    variables: Mapping[str, Variable]
    columns: tuple[_Column, ...] = field(repr=False)

    def __init__(self, variables: Mapping[str, Variable] | None = None, /, **named: Variable) -> None:
        if variables is not None and not isinstance(variables, Mapping):
            raise TypeError(f"variables must be a mapping of names, got {type(variables).__name__}.")
        twice = sorted(set(variables or ()) & set(named))
        if twice:
            raise ValueError(f"the variable {twice[0]!r} is given twice.")
        own = {**(variables or {}), **named}
        for name, variable in own.items():
            if not isinstance(name, str):
                raise TypeError(f"the name of a variable is a text, got {name!r}.")
            if not isinstance(variable, Variable):
                raise TypeError(f"the variable {name!r} must be a Real, Integer or Choice, got {variable!r}.")
        columns: list[_Column] = []
        _unfold(own, None, 0, columns)
        met: set[str] = set()
        for column in columns:
            if column.name in met:
                raise ValueError(
                    f"the variable {column.name!r} is given twice: behind an option too, a name must be new."
                )
            met.add(column.name)
        object.__setattr__(self, "variables", own)
        object.__setattr__(self, "columns", tuple(columns))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of all variables, those behind options among them."""
        return tuple(column.name for column in self.columns)

    @cached_property
    def conditional(self) -> bool:
        """Whether there are variables behind options."""
        return any(column.parent is not None for column in self.columns)

    def rows(self, candidates: Sequence[Mapping[str, Any]]) -> Floats:
        """Return dicts as rows, shape ``(n, d)``.

        Raises
        ------
        ValueError, TypeError
            If a variable is missing, unknown or not chosen, or its value is outside its bounds or options.
        """
        return np.stack([self._row(each) for each in candidates]) if len(candidates) else self._none()

    def dicts(self, rows: Any) -> list[dict[str, Any]]:
        """Return rows, shape ``(n, d)``, as dicts of Python scalars."""
        rows = self.present(np.asarray(rows, dtype=np.float64))
        return [
            self._dict(row, say) for row, say in zip(rows.tolist(), self.active(rows).tolist(), strict=True)
        ]

    def arrays(self, rows: Array) -> dict[str, Any]:
        """Return presented rows, shape ``(n, d)``, as a dict of arrays, shape ``(n,)``."""
        active, out = self.active(rows), {}
        for j, column in enumerate(self.columns):
            values = column.variable.values(rows[:, j])
            out[column.name] = values if column.parent is None else np.ma.array(values, mask=~active[:, j])
        return out

    def active(self, rows: Array) -> Mask:
        """Return which entries of presented rows, shape ``(n, d)``, belong to options that are chosen."""
        active = np.ones(rows.shape, dtype=np.bool_)
        for j, column in enumerate(self.columns):
            if column.parent is not None:
                active[:, j] = active[:, column.parent] & (rows[:, column.parent] == column.code)
        return active

    def present(self, rows: Array) -> Floats:
        """Return drawn rows with whole numbers where they belong, and neutral entries where not chosen."""
        out = np.array(rows, dtype=rows.dtype if rows.dtype.kind in "iu" else np.float64)
        for j, column in enumerate(self.columns):
            variable = column.variable
            if isinstance(variable, Integer):
                whole = variable.values(out[:, j])
                out[:, j] = np.log(whole) if variable.log else whole
        if self.conditional:
            out = np.where(self.active(out), out, self._neutral.astype(out.dtype))
        out.flags.writeable = False
        return out

    @cached_property
    def domain(self) -> Domain:
        """The box of the rows."""
        sides = np.array([column.variable.sides for column in self.columns])
        whole = [column.variable.whole for column in self.columns]
        return Domain(sides[:, 0], sides[:, 1], whole)

    @cached_property
    def layout(self) -> MixedSpace:
        """What the columns are."""
        labels = np.array([isinstance(column.variable, Choice) for column in self.columns])
        logs = [isinstance(c.variable, Integer) and c.variable.log for c in self.columns]
        active = self.active if self.conditional else None
        numbers, chosen = np.flatnonzero(~labels), np.flatnonzero(labels)
        return MixedSpace(self.domain, numbers, chosen, np.array(logs), active, self.present)

    def as_given(self, family: Family) -> Family:
        """Return a distribution over the rows as it is: with the space as `bounds`, it is a start."""
        return family

    def start(self, row: Floats | None = None) -> Family:
        """Return the first distribution: over all of the space, or about a row."""
        layout = self.layout
        low, high = layout.number_domain.low, layout.number_domain.high
        span = high - low
        middle = low + span / 2 if row is None else np.clip(row[layout.numbers], low, high)
        std = np.where(span > 0, (BOX_STD if row is None else POINT_STD) * span, 1.0)
        labels = labels_of(layout.categories.tolist()) if layout.labels.size else None
        if labels is not None and row is not None:
            chosen = row[layout.labels].astype(np.int64)
            points = [np.eye(k)[c] for k, c in zip(layout.categories.tolist(), chosen.tolist(), strict=True)]
            labels = labels.blend(type(labels)(points), PREFERRED)
        if not layout.numbers.size:
            return labels  # type: ignore[return-value]
        numbers = Gaussian(middle, std=std)
        return (
            layout.start(numbers, labels)
            if labels is not None or (layout.logarithmic.any() or layout.domain.integer.any())
            else numbers
        )

    @cached_property
    def _neutral(self) -> Floats:
        low, high = np.array([column.variable.sides for column in self.columns]).T
        whole = np.array([column.variable.whole for column in self.columns])
        return np.asarray(np.where(whole, low, low + (high - low) / 2))

    def _none(self) -> Floats:
        return np.empty((0, len(self.columns)))

    def _row(self, candidate: Mapping[str, Any]) -> Floats:
        if not isinstance(candidate, Mapping):
            raise TypeError(f"a candidate of a space is a dict of its variables, got {candidate!r}.")
        row, met = self._neutral.copy(), set()
        for j, column in enumerate(self.columns):
            if column.parent is not None and not (
                self.columns[column.parent].name in met and row[column.parent] == column.code
            ):
                continue
            if column.name not in candidate:
                raise ValueError(f"the variable {column.name!r} is missing from {dict(candidate)!r}.")
            met.add(column.name)
            row[j] = column.variable.coordinate(column.name, candidate[column.name])
        for name in candidate:
            if name not in met:
                known = "not chosen here" if name in self.names else "not of the space"
                raise ValueError(f"the variable {name!r} of {dict(candidate)!r} is {known}.")
        return row

    def _dict(self, row: list[float], active: list[bool]) -> dict[str, Any]:
        pairs = zip(self.columns, row, active, strict=True)
        return {column.name: column.variable.scalar(value) for column, value, say in pairs if say}

    def __repr__(self) -> str:
        return f"Space({', '.join(f'{name}={each!r}' for name, each in self.variables.items())})"


def _unfold(variables: Mapping[str, Any], parent: int | None, code: int, columns: list[_Column]) -> None:
    """Append the columns of variables, those behind options right after their choice."""
    for name, variable in variables.items():
        at = len(columns)
        columns.append(_Column(name, variable, parent, code))
        if isinstance(variable, Choice):
            for i, space in enumerate(variable.spaces):
                if space is not None:
                    _unfold(space.variables, at, i, columns)


@dataclass(frozen=True, eq=False)
class NamedStart:
    """What a run over named variables begins with.

    Attributes
    ----------
    naming : Naming
        The names.
    family : Family
        The first distribution, over rows.
    domain : Domain or None
    layout : MixedSpace or None
        What the columns are, where numbers and labels stand side by side.
    present : callable
        From drawn rows to those that the objective sees.
    discrete : memo.Space or None
        The candidates that there are, where all variables are discrete.
    points : ndarray, shape (k, d), or None
        Starts to be evaluated.
    about : callable
        From one of them to the distribution that begins there.
    """

    naming: Naming
    family: Family
    domain: Domain | None
    layout: MixedSpace | None
    present: Callable[[Array], Array]
    discrete: memo.Space | None
    points: Array | None = None
    about: Callable[[Array], Family] | None = None

    @property
    def product(self) -> Product | None:
        """The product that was given as the start, if it was one."""
        return self.naming.product if isinstance(self.naming, Parts) else None

    @classmethod
    def resolve(cls, start: Any, bounds: Any, integrality: Any) -> NamedStart | None:
        """Return what a user's arguments mean; None where they bring no names.

        Raises
        ------
        ValueError, TypeError
            If they do not go together.
        """
        if isinstance(start, Space) and bounds is None:
            start, bounds = None, start
        if isinstance(bounds, Space):
            _check_alone("a Space", integrality=integrality)
            return cls._of_space(bounds, start)
        if isinstance(start, Product):
            _check_alone("a Product", bounds=bounds, integrality=integrality)
            return cls._of_product(start)
        if isinstance(start, Space):
            _check_alone("a Space", bounds=bounds)
        return None

    @classmethod
    def _of_space(cls, space: Space, start: Any) -> NamedStart:
        if not space.columns:
            raise ValueError("a Space to search has at least one variable.")
        layout = space.layout
        points = None
        if is_family(start):
            family = start
            if type(family) is not type(space.start()) or dimension(family) != len(space.columns):
                raise ValueError(f"the start ({type(start).__name__}) is no distribution over this space.")
        elif start is None:
            family = space.start()
        else:
            points = space.rows([start] if isinstance(start, Mapping) else start)
            if not len(points):
                raise ValueError("there is no start in an empty list; leave it out, or give at least one.")
            family = space.start(points[0])
        if not layout.numbers.size and points is not None:
            points = points.astype(np.int64)
        return cls(
            space,
            family,
            layout.domain if layout.numbers.size else None,
            layout if isinstance(family, Product) else None,
            space.present,
            _discrete(space, layout.numbers.size > 0),
            points,
            space.start,
        )

    @classmethod
    def _of_product(cls, product: Product) -> NamedStart:
        parts = Parts(product)
        joint = parts.joint
        layout = MixedSpace.of(joint) if isinstance(joint, Product) and joint is not product else None
        domain = None if layout is None else layout.domain
        return cls(parts, joint, domain, layout, lambda x: x, discrete_space(joint, domain))


def _discrete(space: Space, numbers: bool) -> memo.Space | None:
    """Return the candidates of a space without reals; how many, only where none are conditional."""
    if any(isinstance(column.variable, Real) for column in space.columns):
        return None
    dtype = np.dtype(np.float64 if numbers else np.int64)
    if space.conditional:
        return memo.Space(np.inf, list, dtype)

    def support() -> list[Array]:
        return [column.variable.support() for column in space.columns]

    with np.errstate(over="ignore"):
        counts = [float(column.variable.count) for column in space.columns]
        return memo.Space(float(np.prod(counts)), support, dtype)


def _check_alone(what: str, **others: Any) -> None:
    for name, value in others.items():
        if value is not None:
            raise TypeError(f"{what} says itself what its variables are; leave {name} out.")
