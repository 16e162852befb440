"""The table of runs whose digests `digests.py` takes; `digest_optimizing` and `digest_estimating` fill it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Case:
    """A run.

    Attributes
    ----------
    run : callable
        Returns a result or a list of results and arrays; where `short`, it takes further arguments for the
        front door (`n_jobs`, `checkpoint`, …).
    short : bool
        Whether it belongs to the short selection.
    numba : bool or None
        True where it needs numba, False where it must not find it, None where it makes no difference.
    """

    run: Callable[..., Any]
    short: bool = False
    numba: bool | None = None


CASES: dict[str, Case] = {}


def case(name: str, short: bool = False, numba: bool | None = None) -> Callable[..., Any]:
    """Return a decorator that adds a function to the cases."""

    def add(run: Callable[..., Any]) -> Callable[..., Any]:
        if name in CASES:
            raise ValueError(f"there are two cases named {name!r}.")
        CASES[name] = Case(run, short, numba)
        return run

    return add


def stopped_and_resumed(run: Callable[..., Any], stop: int, **more: Any) -> Any:
    """Stop a run after so many iterations by its callback, then resume it from its checkpoint."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run")
        run(checkpoint=path, callback=lambda r: r.nit == stop, **more)
        return run(checkpoint=path, resume=True, **more)
