"""What the plan must know of the space it works in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from cem.families.base import Array, Family, Floats
from cem.rare_events.settings import Settings
from cem.rare_events.spaces.moves import Move


class Space(Protocol):
    """The nominal distribution, a wide one for defence, and the fit of a proposal to weighted rows."""

    @property
    def settings(self) -> Settings:
        """What fits and plan are set to."""

    @property
    def dimension(self) -> int:
        """Length of a row."""

    @property
    def nominal(self) -> Any:
        """The distribution under which the probability is asked."""

    @property
    def wide(self) -> Any:
        """A wider one, of which every proposal has a part."""

    @property
    def rates(self) -> tuple[float, ...]:
        """Shares of the fit, its inflated copy, the wide part and the nominal in a final proposal."""

    def heated(self, heat: float, /) -> Family:
        """Return the nominal with its density to the power `heat`, normalised."""

    def fit(self, x: Array, w: Floats, slope: Floats | None, rng: np.random.Generator, /) -> Family:
        """Return a proposal fitted to rows ``(n, d)``, whose weights ``(n,)`` sum to their effective number.

        `slope`, shape ``(d,)``, is the direction in which the score rises, where it is known.
        """

    def inflated(self, fitted: Any, /) -> Family:
        """Return a wider copy of a fit."""

    def slope(self, x: Array, y: Floats, /) -> Floats | None:
        """Return the direction in which `y` rises, shape ``(d,)``, where directions matter."""

    def outside(self, log_probability: float, below: Array, rng: np.random.Generator, /) -> list[Array]:
        """Return rows from far outside, ``(n, d)``, an array for each kind of them.

        `log_probability` is that of the event, as far as it is known; `below`, shape ``(m, d)``, are rows of
        the learning that missed it. None where walkers cannot move.
        """

    def moves(self, inwards: bool, /) -> Sequence[Move]:
        """Return the moves that keep the nominal; `inwards`: also such as lead back to its middle."""

    def scouts(self) -> Sequence[Family]:
        """Return proposals that are drawn from before anything is measured, to see other ends."""
