"""What all ready problems over bits and orders have in common: checked fields, pickles, how they show."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, ClassVar

import numpy as np

Seed = np.random.Generator | np.random.SeedSequence | int | None


class FrozenProblem:
    """The base of frozen dataclasses with the fields `n`, `optimum` and `name`.

    Cached properties are left out of pickles and are prepared anew.
    """

    n: int
    optimum: float | None
    name: str

    maximize: ClassVar[bool]

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
