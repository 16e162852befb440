"""What the front doors share: a run from its arguments to its result, whatever it is about."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from cem.checkpoint.journal import Journal
from cem.checkpoint.resuming import opened
from cem.core.budget import Budget
from cem.core.loop import Batch, Request
from cem.core.streams import RngLike, Streams
from cem.evaluation import Evaluator, Objective
from cem.running.driver import Driver, Served
from cem.running.reporting import Progress, as_notifier, raise_failure, shown
from cem.running.scoring import Scorer, Setting

T = TypeVar("T")
R = TypeVar("R")
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
        return cls(streams, journal, conduct)

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
        """
        conduct = self.conduct
        with (
            Evaluator(objective, conduct.n_jobs, conduct.evaluation_timeout) as evaluator,
            shown(conduct.progress, budget.max_evaluations) as bar,
        ):
            scorer = Scorer(evaluator, self.streams, setting, budget.seconds, self.journal)
            driver = Driver(scorer, budget)
            driver.notify = as_notifier(conduct.callback, lambda progress: report(driver, progress), bar)
            served = driver.serve(plan)
        result = answer(driver, served)
        raise_failure(served.ended, result)
        return result
