"""A bar of what a run has spent, and a line of what it waits for."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cem.core.budget import Budget
from cem.running.reporting import Progress

_WITH_LIMIT = "{percentage:3.0f}%|{bar}| {desc} [{elapsed}<{remaining}{postfix}]"
_WITHOUT = "{desc} [{elapsed}{postfix}]"


@dataclass(eq=False)
class Bar:
    """A tqdm bar whose length is the nearest of all limits; without a limit it only counts.

    Attributes
    ----------
    shown : tqdm
        Its total is 1.
    limits : Budget
        What the user limits. A default that a run seldom comes near is no length of a bar.
    """

    shown: Any
    limits: Budget
    waits_for: str = ""

    def move(self, nfev: int, nit: int, seconds: float) -> None:
        """Show what was spent: evaluations, iterations, seconds."""
        text, nearest = f"{nfev} evaluations", 0.0
        for spent, limit, unit in (
            (nfev, self.limits.max_evaluations, "evaluations"),
            (nit, self.limits.max_iterations, "iterations"),
            (seconds, self.limits.max_time, "s"),
        ):
            if limit is None:
                continue
            share = min(spent / limit, 1.0)
            if share >= nearest:
                nearest = share
                of = f"{min(spent, limit):.0f}/{limit:g} {unit}"
                text = of if unit == "evaluations" else f"{nfev} evaluations, {of}"
        self.shown.set_description_str(text, refresh=False)
        self.shown.update(nearest - self.shown.n if self.limits.limited else nfev - self.shown.n)

    def tell(self, progress: Progress) -> None:
        """Show the best score, the level, and what the run waits for: what a step said of that last."""
        numbers = (("best", progress.best), ("level", progress.level))
        said = [f"{name} {value:.6g}" for name, value in numbers if math.isfinite(value)]
        self.waits_for = progress.awaiting() or self.waits_for
        said += [self.waits_for] if self.waits_for else []
        self.shown.set_postfix_str(", ".join(said), refresh=False)


@contextmanager
def shown(wanted: bool | None, limits: Budget) -> Iterator[Bar | None]:
    """Show a bar for as long as the context lasts; None where none is wanted.

    Raises
    ------
    TypeError
        If `wanted` is no bool.
    ImportError
        If tqdm is not installed.
    """
    if wanted not in (True, False, None):
        raise TypeError(f"progress must be True or False, got {wanted!r}.")
    if not wanted:
        yield None
        return
    try:
        from tqdm.auto import tqdm
    except ImportError as error:
        raise ImportError("progress=True needs tqdm: pip install cemkit[progress]") from error
    total, form = (1.0, _WITH_LIMIT) if limits.limited else (None, _WITHOUT)
    with tqdm(total=total, bar_format=form, desc="0 evaluations", miniters=0) as bar:
        yield Bar(bar, limits)
