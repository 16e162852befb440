"""`CrossEntropyMethod`: the loop turned inside out, for those who evaluate by themselves."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import is_dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cem import families, updates
from cem.checkpoint import file as checkpoint
from cem.checkpoint.kept import Kept
from cem.checkpoint.parameters import pack_fields, unpack_fields
from cem.core.budget import truth
from cem.core.domain import Domain
from cem.core.history import History, Row, summary
from cem.core.loop import Batch, State, Update, advance
from cem.core.sampling import draw
from cem.core.stopping import Stopping
from cem.core.streams import Purpose, RngLike, Streams
from cem.evaluation import as_scores, widen
from cem.families.base import Array, Family, Storable, dimension, is_family, unmasked
from cem.families.product import Product
from cem.plans.start import MOST_NUMBERS, resolve_population, resolve_start, resolve_update, rows_needed
from cem.running.keywords import explain_keywords
from cem.spaces import NamedStart

_KIND, _VERSION = "CrossEntropyMethod", 1

_STATE_NUMBERS = ("iteration", "level", "elite_best", "elites", "best", "quiet", "lowest")


class CrossEntropyMethod:
    """The cross-entropy method by hand: ask for candidates, score them, tell the scores.

    Parameters
    ----------
    start, bounds, population, elite_fraction, update, maximize, rng
        As in `cem.optimize`. Candidates of a `cem.Space` are rows here: ``space.dicts(X)`` and
        ``space.rows(dicts)`` lead to dicts and back.

    Attributes
    ----------
    family : Family
        The present distribution.
    best_x : ndarray of shape (d,), or None
        The best candidate told so far.
    best_fun : float
        Its score, NaN before the first.
    history : History
        An iteration for each `tell`.

    Raises
    ------
    ValueError, TypeError
        For bad arguments.

    Examples
    --------
    >>> import cem
    >>> m = cem.CrossEntropyMethod(bounds=[(-5, 5)] * 2, rng=1)
    >>> while not m.stop_reason():
    ...     X = m.ask()
    ...     m.tell(X, (X**2).sum(axis=1))
    >>> bool(m.best_fun < 1e-8)
    True
    """

    @explain_keywords
    def __init__(
        self,
        start: Any = None,
        *,
        bounds: Any = None,
        population: int | None = None,
        elite_fraction: float | None = None,
        update: Update | None = None,
        maximize: bool = False,
        rng: RngLike = None,
    ) -> None:
        self._streams = Streams.from_rng(rng)
        named = NamedStart.resolve(start, bounds, None)
        if named is None:
            family, self._domain = resolve_start(start, bounds)
        else:
            family, self._domain = _one_start(named), named.domain
        self._named = named
        self._update = resolve_update(update, elite_fraction)
        self._population = resolve_population(population, family, self._update)
        self._maximize = truth("maximize", maximize)
        self._state = self._update.init(family)
        self._asked = 0
        self._nfev = 0
        self._before = 0.0
        self._began = time.monotonic()
        self.history = History()
        self.best_x: Array | None = None
        self._stopping = Stopping()

    @property
    def family(self) -> Family:
        """The present distribution."""
        return self._state.family

    @property
    def best_fun(self) -> float:
        """The best score told so far, in the user's sign; NaN before the first."""
        return np.nan if self.best_x is None else self._sign * self._state.best + 0.0

    @property
    def _sign(self) -> float:
        return 1.0 if self._maximize else -1.0

    def ask(self) -> Array:
        """Draw a new batch of candidates, shape ``(population, d)``, read-only."""
        number = self._asked
        self._asked += 1
        x = draw(
            self.family,
            self._population,
            lambda block: self._streams.generator(Purpose.SAMPLE, number, block),
            self._domain,
        )
        return widen(x if self._named is None else self._named.present(x))

    def tell(self, X: ArrayLike, scores: ArrayLike) -> None:
        """Learn from scored candidates: asked ones in any order, a part of them, or others.

        Parameters
        ----------
        X : array_like, shape (n, d)
        scores : array_like, shape (n,)
            NaN ranks last.

        Raises
        ------
        ValueError
            If shapes differ, there are too few rows to fit the family, or a row is no candidate: not
            finite, outside the bounds, or outside the family's space.
        TypeError
            If rows or scores are not real numbers.
        """
        x = np.asarray(X)
        d = dimension(self.family)
        if x.ndim != 2 or x.shape[1] != d:
            raise ValueError(f"X must have shape (n, {d}), one candidate a row; got {x.shape}.")
        values = unmasked(scores)
        if values.shape != (len(x),):
            raise ValueError(f"scores must have shape ({len(x)},), one a row of X; got {values.shape}.")
        needed = rows_needed(self.family, self._update)
        if len(x) < needed:
            raise ValueError(
                f"fitting this {type(self.family).__name__} takes at least {needed} rows, got {len(x)}."
            )
        values = as_scores(values, len(x), d)
        self._check_space(x)
        signed = self._sign * values
        number = len(self.history)
        batch = Batch(x, signed, lambda: self._streams.generator(Purpose.UPDATE, number))
        previous = self._state.best
        with np.errstate(over="ignore", invalid="ignore"):  # of scores that are infinite, or nearly so
            self._state = advance(self._update, self._state, batch, self._stopping)
        if self._state.best > previous:
            self.best_x = np.array(x[int(np.nanargmax(signed))])
        self._nfev += len(x)
        self.history.append(self._row(values))

    def _check_space(self, x: Array) -> None:
        """Refuse rows that are no candidates.

        Raises
        ------
        ValueError
            If a row holds what is not a finite number, lies outside the bounds by more than rounding, or
            is outside the family's own space.
        TypeError
            If the rows are not numbers.
        """
        if x.dtype.kind not in "biuf":
            raise TypeError(f"X must hold numbers, got dtype {x.dtype}.")
        finite = np.isfinite(x)
        wrong = np.zeros(len(x), dtype=np.bool_) if finite.all() else ~finite.all(axis=1)
        space = "finite numbers"
        if self._domain is not None and not wrong.any():
            space, wrong = "the bounds", self._domain.clearly_outside(x)
        contains = getattr(self.family, "contains", None)
        if contains is not None and not wrong.any():
            space, wrong = f"the candidates of a {type(self.family).__name__}", ~contains(x)
        if wrong.any():
            i = int(wrong.argmax())
            raise ValueError(f"row {i} of X is {x[i]}, which is not among {space}; leave it out.")

    def _row(self, values: NDArray[np.float64]) -> Row:
        mean, nans = summary(values)
        return Row(
            stage="sampling",
            level=self._sign * self._state.level,
            best=self._sign * self._state.best,
            mean=mean,
            elites=self._state.elites,
            entropy=float(self.family.entropy()),
            nfev=self._nfev,
            nan_count=nans,
            seconds=self._before + time.monotonic() - self._began,
        )

    def stop_reason(self) -> str | None:
        """Say why there is nothing left to learn; None while it should go on.

        Whether that is convergence or collapse takes a look outside the distribution, which
        `cem.optimize` takes and this cannot.
        """
        patience = self._stopping.patience
        if len(self.history) >= patience and not self.history.elites[-patience:].any():
            return f"no score of the last {patience} batches ranks: all are NaN or infinitely bad"
        return self._stopping.reason(self._state)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything to `path`, used as given; what comes after `load` is bit-identical.

        Raises
        ------
        TypeError
            If the family or the update does not say how to be written.
        OSError
            If the file cannot be written.
        """
        if not isinstance(self.family, Storable):
            raise TypeError(
                f"{type(self.family).__name__} cannot be saved: it lacks to_arrays() and from_arrays(arrays)."
            )
        if not is_dataclass(self._update) or isinstance(self._update, type):
            raise TypeError(f"{type(self._update).__name__} cannot be saved: it is not a dataclass.")
        parameters, arrays = pack_fields(self._update, "update")
        header = {
            "kind": _KIND,
            "version": _VERSION,
            "family": type(self.family).__name__,
            "update": {"name": type(self._update).__name__, "parameters": parameters},
            "state": {name: getattr(self._state, name) for name in _STATE_NUMBERS},
            "population": self._population,
            "maximize": self._maximize,
            "entropy": self._streams.entropy,
            "prefix": self._streams.prefix,
            "asked": self._asked,
            "nfev": self._nfev,
            "seconds": self._before + time.monotonic() - self._began,
        }
        arrays |= checkpoint.group("family", self.family.to_arrays())
        arrays |= checkpoint.group("memory", self._state.memory)
        arrays |= checkpoint.group("history", self.history.to_arrays())
        if self._domain is not None:
            arrays |= checkpoint.group("domain", {"low": self._domain.low, "high": self._domain.high})
        if self._named is not None:
            header["names"] = list(self._named.naming.names)
            if self._named.product is not None:
                arrays |= checkpoint.group("start", self._named.product.to_arrays())
        if self.best_x is not None:
            arrays["best_x"] = self.best_x
        checkpoint.write(path, header, arrays)

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], *, own: Iterable[type] = (), space: Any = None
    ) -> CrossEntropyMethod:
        """Read what `save` wrote.

        Parameters
        ----------
        path : path
        own : classes
            Your own family or update classes, where the file needs them: a file never says what to
            import.
        space : Space, optional
            What the candidates are named by, where it was the start; a `Product` is in the file.

        Raises
        ------
        FileNotFoundError
            If nothing is there.
        ValueError
            If the file is damaged, foreign, of another version, or of a class not given.
        """
        header, arrays = checkpoint.read(path, _KIND, _VERSION)
        known = {name: getattr(home, name) for home in (families, updates) for name in home.__all__}
        known |= {each.__name__: each for each in own}
        try:
            start = checkpoint.ungroup("start", arrays)
            given = Product.from_arrays(start) if space is None and start else space
            return cls._restored(header, arrays, known, NamedStart.resolve(given, None, None))
        except Exception as error:  # what a class makes of parameters that are none is anyone's guess
            reason = str(error).rstrip(".") or type(error).__name__
            raise ValueError(f"{os.fspath(path)} is damaged or incomplete ({reason}).") from error

    @classmethod
    def _restored(
        cls,
        header: dict[str, Any],
        arrays: dict[str, Array],
        known: dict[str, type],
        named: NamedStart | None,
    ) -> CrossEntropyMethod:
        kept = Kept.checked(header, arrays)
        names = header.get("names")
        if names != (None if named is None else list(named.naming.names)):
            raise ValueError(
                f"it was saved with the variables {names}: load(path, space=…) needs the space it began with"
            )
        for name in (kept.family, kept.update):
            if name not in known:
                raise ValueError(
                    f"it was saved with {name}, which is not part of cem: load(path, own=[{name}])"
                )
        family = known[kept.family].from_arrays(checkpoint.ungroup("family", arrays))  # type: ignore[attr-defined]
        if not is_family(family):
            raise ValueError(f"{kept.family} is no family")
        self = cls.__new__(cls)
        self._streams = Streams(*checkpoint.check_words(header))
        box = checkpoint.ungroup("domain", arrays)
        self._domain = Domain(box["low"], box["high"]) if box else None
        self._named = named
        if named is not None:
            _check_same(self._domain, named.domain)
            self._domain = named.domain
        self._update = known[kept.update](**unpack_fields(kept.parameters, arrays, known))
        self._population = kept.population
        self._maximize = kept.maximize
        self._state = State(family, memory=checkpoint.ungroup("memory", arrays), **kept.state)
        self._asked, self._nfev, self._before = kept.asked, kept.nfev, kept.seconds
        self._began = time.monotonic()
        self.history = History.from_arrays(checkpoint.ungroup("history", arrays))
        self.best_x = arrays.get("best_x")
        self._stopping = Stopping()
        self._check_fit()
        return self

    def _check_fit(self) -> None:
        """Check that the parts of what was loaded fit together.

        Raises
        ------
        ValueError
            If they are of different dimensions, or a batch would not fit into memory.
        """
        d = dimension(self.family)
        if self._population * d > MOST_NUMBERS:
            raise ValueError(f"a population of {self._population} with {d} variables is impossible")
        if self._population < (needed := rows_needed(self.family, self._update)):
            raise ValueError(f"a population of {self._population} is too small: a fit takes {needed} rows")
        if self._domain is not None:
            for side in (self._domain.low, self._domain.high):
                if side.shape != (d,):
                    raise ValueError(f"domain has a side of shape {side.shape}, its family {d} variables")
        if self.best_x is not None and self.best_x.shape != (d,):
            raise ValueError(f"best_x has the shape {self.best_x.shape}, its family {d} variables")
        if not isinstance(self._update, tuple(getattr(updates, name) for name in updates.__all__)):
            return  # a user's own answers for its memory
        for name, fresh in self._update.init(self.family).memory.items():
            if name not in self._state.memory:
                raise ValueError(f"memory/{name} is missing")
            kept = self._state.memory[name]
            if kept.shape != np.shape(fresh):
                raise ValueError(f"memory/{name} has the shape {kept.shape}, not {np.shape(fresh)}")
            if not np.isfinite(kept).all():
                raise ValueError(f"memory/{name} is not finite")

    def __repr__(self) -> str:
        return (
            f"CrossEntropyMethod({self.family}, {len(self.history)} iterations, best_fun={self.best_fun:.6g})"
        )


def _one_start(named: NamedStart) -> Family:
    """Return the first distribution, where there is no more than one start."""
    if named.points is not None and len(named.points) > 1:
        raise ValueError("asking begins at one start; score several yourself and give the best one.")
    return named.family


def _check_same(kept: Domain | None, own: Domain | None) -> None:
    """Refuse a space with other bounds than those that were saved."""
    sides = [None if each is None else [each.low.tolist(), each.high.tolist()] for each in (kept, own)]
    if sides[0] != sides[1]:
        raise ValueError("its bounds are not those of the space")
