"""What the front doors share: a run from its arguments to its result, whatever it is about."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Protocol, TypeVar

import numpy as np

from cem.checkpoint.journal import Journal
from cem.checkpoint.resuming import opened
from cem.core.budget import Budget
from cem.core.ending import Status
from cem.core.loop import Batch, Request
from cem.core.streams import RngLike, Streams
from cem.evaluation import Evaluator, Objective
from cem.running.arithmetic import any_arithmetic
from cem.running.bar import shown
from cem.running.driver import Driver, Served
from cem.running.reporting import Progress, as_notifier, raise_failure
from cem.running.scoring import Scorer, Setting

SAME_LOOP = 10.0  # seconds between two runs of one loop; nobody looks at a result and starts anew in less


class Answer(Protocol):
    """What a run ends with."""

    @property
    def status(self) -> Status:
        """Why it ended."""


T = TypeVar("T")
R = TypeVar("R", bound=Answer)
_LIMITS = ("max_evaluations", "max_iterations", "max_time")  # may change from one part of a run to the next


@dataclass(frozen=True)
class Conduct:
    """How a run is carried out: the arguments at the end of every front door, documented at `cem.optimize`.

    None of them is a part of what the run is of, so that all may change when it is resumed.
    """

    evaluation_timeout: float | None
    n_jobs: int | None
    callback: Callable[..., Any] | None
    progress: bool
    checkpoint: Any
    resume: bool
    rng: RngLike


@dataclass(frozen=True, eq=False)
class Session:
    """One run: its streams, its journal if it keeps one, and how it is carried out."""

    streams: Streams
    journal: Journal | None
    conduct: Conduct
    limits: Budget
    """What the user limits; a run's own budget has defaults besides."""

    @classmethod
    def open(cls, kind: str, fun: Any, arguments: Mapping[str, Any], budget: Budget) -> Session:
        """Read how a run is to be carried out from a front door's `arguments`, the first of which is `fun`.

        What is left of them, and `fun`, is what the run is of: a checkpoint holds a description.

        Raises
        ------
        ValueError, TypeError, OSError
            As `cem.checkpoint.resuming.opened` does.
        """
        names = [each.name for each in fields(Conduct)]
        conduct = Conduct(**{name: arguments[name] for name in names})
        free = {next(iter(arguments)), *names, *_LIMITS}
        lasting = {name: value for name, value in arguments.items() if name not in free}
        streams, journal = opened(conduct.checkpoint, conduct.resume, kind, fun, lasting, budget, conduct.rng)
        return cls(streams, journal, conduct, Budget(*(arguments.get(name) for name in _LIMITS)))

    def planned(self, budget: Budget) -> int | None:
        """Return the evaluations that sizes are to be chosen for: those of the run's first part."""
        if self.journal is None:
            return budget.max_evaluations
        planned: int | None = self.journal.header["planned"]
        return planned

    def run(
        self,
        objective: Objective,
        plan: Generator[Request, Batch, T],
        budget: Budget,
        setting: Setting,
        report: Callable[[Driver, Progress], Any],
        answer: Callable[[Driver, Served[T]], R],
    ) -> R:
        """Serve `plan`, and return what `answer` makes of it; `report` makes what a callback sees.

        Raises
        ------
        ObjectiveError
            If the objective failed; what `answer` makes is its `partial`.
        KeyboardInterrupt
            If Ctrl-C ended this run and the one before it.
        """
        conduct, began = self.conduct, time.monotonic()
        with (
            Evaluator(objective, conduct.n_jobs, conduct.evaluation_timeout) as evaluator,
            shown(conduct.progress, self.limits) as bar,
        ):
            scorer = Scorer(evaluator, self.streams, setting, budget.seconds, self.journal)
            driver = Driver(scorer, budget, watched=conduct.callback is not None)
            show = None
            if bar is not None:

                def move(done: int = 0) -> None:
                    bar.move(driver.nfev + done, len(driver.history), driver.elapsed)

                def show(progress: Progress) -> None:
                    bar.tell(progress)
                    move()

                scorer.arrived = move
            driver.notify = as_notifier(conduct.callback, lambda progress: report(driver, progress), show)
            served = driver.serve(plan)
        with any_arithmetic():
            result = answer(driver, served)
        raise_failure(served.ended, result)
        _loop.note(began, result.status is Status.INTERRUPTED)
        return result


@dataclass
class _Loop:
    """When the last run was interrupted, so that a loop over runs can be stopped.

    A run that begins right after an interrupted one belongs to the same loop: Ctrl-C ends that, not only
    the run.
    """

    interrupted: float = -np.inf

    def note(self, began: float, interrupted: bool) -> None:
        """Note how a run ended that began at `began` (``time.monotonic``).

        Raises
        ------
        KeyboardInterrupt
            If it was interrupted as the one before it had been.
        """
        again = interrupted and began - self.interrupted < SAME_LOOP
        self.interrupted = time.monotonic() if interrupted and not again else -np.inf
        if again:
            raise KeyboardInterrupt


_loop = _Loop()
