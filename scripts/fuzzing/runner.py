"""Cases of a fuzz, and what counts as a finding."""

from __future__ import annotations

import resource
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

import cem

MOST_MEMORY = 500  # MiB that one case may add to the largest that the process has had
MOST_SECONDS = 20.0  # that one case may take
HOUSE = tuple(str(Path(cem.__file__).parents[1] / room) for room in ("cem", "problems"))
REFUSED = "refused"  # outcome of a case: a clear error says what was wrong

Case = Callable[[np.random.Generator], tuple[str, Callable[[], str]]]
"""From a generator to what is tried, in words, and a function that tries it and returns an outcome."""


class WrongError(AssertionError):
    """What a case did is not what was promised."""


def demand(holds: object, what: str) -> None:
    """Find fault where a promise does not hold."""
    if not holds:
        raise WrongError(what)


class TooLongError(BaseException):
    """A case takes too long; no `Exception`, so that nobody takes it for the objective's."""


def _too_long(*_: object) -> None:
    raise TooLongError(f"more than {MOST_SECONDS:g} s for one case")


class Finding(NamedTuple):
    """One fault: its kind and seed repeat it."""

    kind: str
    seed: int
    tried: str
    fault: str
    trace: str

    def __str__(self) -> str:
        again = f"python scripts/fuzz.py --only {self.kind} --seed {self.seed} --cases 1"
        return f"{self.kind}: {self.fault}\n    {self.tried}\n    again: {again}\n{self.trace}"


@dataclass
class Tally:
    """What was tried of one kind, and what came of it."""

    tried: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def is_clear(error: BaseException) -> bool:
    """Whether a user can act on an error: raised on purpose, in words, of a kind for bad input."""
    if not isinstance(error, ValueError | TypeError | cem.ObjectiveError) or isinstance(error, WrongError):
        return False
    if isinstance(error, np.linalg.LinAlgError | UnicodeError) or len(str(error)) < 10:
        return False
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and frames[-1].filename.startswith(HOUSE)


def try_case(kind: str, case: Case, seed: int, tally: Tally) -> None:
    """Try the case of a kind that belongs to a seed."""
    tried, trace = "(made no case)", ""
    before, limited = _peak(), hasattr(signal, "setitimer")
    if limited:
        signal.signal(signal.SIGALRM, _too_long)
        signal.setitimer(signal.ITIMER_REAL, MOST_SECONDS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            tried, act = case(np.random.default_rng(seed))
            try:
                outcome = act()
            except Exception as error:
                if not is_clear(error):
                    raise
                outcome = REFUSED
        fault = None
    except (Exception, TooLongError) as error:
        fault = f"{type(error).__name__}: {error}"[:600]
        trace = (
            "" if isinstance(error, WrongError) else "".join(traceback.format_tb(error.__traceback__)[-4:])
        )
        outcome = "finding"
    finally:
        if limited:
            signal.setitimer(signal.ITIMER_REAL, 0)
    if fault is None and _peak() - before > MOST_MEMORY:
        fault, outcome = f"{_peak() - before:.0f} MiB more memory", "finding"
    tally.tried += 1
    tally.outcomes[outcome] = tally.outcomes.get(outcome, 0) + 1
    if fault is not None:
        tally.findings.append(Finding(kind, seed, tried, fault, trace))
        print(tally.findings[-1], flush=True)


def _peak() -> float:
    """Return the largest memory that the process has had, in MiB."""
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def go(cases: dict[str, Case], seed: int, seconds: float, most: int | None = None) -> dict[str, Tally]:
    """Try cases of every kind in turn, until the time is over or there were `most` of each."""
    tallies = {kind: Tally() for kind in cases}
    end, number = time.monotonic() + seconds, 0
    while most is None or number < most:
        for kind, case in cases.items():
            if time.monotonic() >= end:
                return tallies
            try_case(kind, case, seed + number, tallies[kind])
        number += 1
    return tallies
