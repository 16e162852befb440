"""What all ready problems over bits and orders have in common: checked fields, pickles, how they show."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import fields
from typing import Any, ClassVar

import numpy as np

from cem.families.base import Array, Floats

Seed = np.random.Generator | np.random.SeedSequence | int | None


class FrozenProblem(ABC):
    """The base of frozen dataclasses with the fields `n`, `optimum` and `name`.

    A subclass evaluates rows when it is called and improves them in `_improve`. Cached properties are left
    out of pickles and are prepared anew.
    """

    n: int
    optimum: float | None
    name: str

    maximize: ClassVar[bool]
    row_type: ClassVar[type]
    """What improved rows are made of."""
    fewest: ClassVar[int] = 1
    """Variables that the search needs; with fewer, candidates stay as they are."""

    def improve(
        self, X: Array, scores: Floats, rng: np.random.Generator, effort: int
    ) -> tuple[Array, Floats, int]:
        """Improve a batch of candidates, as the class's notes say.

        Parameters
        ----------
        X : ndarray of int, shape (N, n)
        scores : ndarray, shape (N,)
        rng : numpy.random.Generator
        effort : int
            1 or more; each further one makes the search longer.

        Returns
        -------
        X : ndarray of int, shape (k, n)
            As good or better; fewer where the class says so.
        scores : ndarray, shape (k,)
        extra_evaluations : int
        """
        if len(X) == 0 or self.n < self.fewest:
            return X.astype(self.row_type), scores, 0
        better, extra = self._improve(X, rng, effort)
        return better, self(better), extra

    @abstractmethod
    def __call__(self, X: Any) -> Floats:
        """Evaluate candidates, shape (N, n)."""

    @abstractmethod
    def _improve(self, X: Array, rng: np.random.Generator, effort: int) -> tuple[Array, int]:
        """Return better rows and the evaluations that took."""

    def _keep(self, **values: Any) -> None:
        """Set checked fields of the frozen instance: arrays become read-only, `optimum` a float."""
        optimum = None if self.optimum is None else float(self.optimum)
        for field, value in (values | {"optimum": optimum}).items():
            if isinstance(value, np.ndarray):
                value.flags.writeable = False
            object.__setattr__(self, field, value)

    def __getstate__(self) -> dict[str, Any]:
        of_fields: Any = self
        return {each.name: getattr(self, each.name) for each in fields(of_fields)}

    def __repr__(self) -> str:
        counts = "".join(f"{what}={count}, " for what, count in self._counts().items())
        return f"{type(self).__name__}(name={self.name!r}, n={self.n}, {counts}optimum={self.optimum})"

    def _counts(self) -> dict[str, int]:
        """Return what else there is to count, by name."""
        return {}
