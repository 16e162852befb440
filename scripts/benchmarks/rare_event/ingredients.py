"""What each ingredient of the improved rare-event method is worth: cases for tuning, with and without it.

Every ingredient is taken out by itself, by replacing the constant or the function that stands for it, and the
same cases are estimated with the same seeds. A ratio is that of "without" to "with", the geometric mean over
cases; above 1 the ingredient pays. That of the claimed variances (squared coefficients of variation times
calls) varies less from run to run, that of the squared errors times calls cannot be deceived. Runs are kept
in `--log`, and a later call goes on where this one stopped.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from cem.rare_events import estimates, learning, measuring
from cem.rare_events import improved as plan
from cem.rare_events.archive import Archive
from cem.rare_events.spaces import normal as spaces
from cem.rare_events.spaces.choice import Candidate
from cem.rare_events.spaces.discrete import DiscreteSpace
from problems.rare_event import tuning
from problems.rare_event.trials import Trial, summarise, trial

Change = tuple[Any, str, Any]
WHOLE = "nothing"


def candidate_name(candidate: Candidate) -> str:
    """Name the structure that a candidate fits."""
    fit: Any = candidate.fit
    fit = getattr(fit, "args", [fit])[0]
    name = getattr(fit, "__qualname__", type(fit).__name__)
    return str(name).partition(".")[0]


def without_structure(name: str) -> list[Change]:
    every = spaces.NormalSpace._candidates

    def others(self: Any, *args: Any) -> list[Candidate]:
        kept = [c for c in every(self, *args) if candidate_name(c) != name]
        return kept or list(every(self, *args))

    return [(spaces.NormalSpace, "_candidates", others)]


def one_component() -> list[Change]:
    every = spaces.NormalSpace._candidates

    def single(self: Any, *args: Any) -> list[Candidate]:
        return [Candidate(c.fit, (1,)) for c in every(self, *args)]

    return [(spaces.NormalSpace, "_candidates", single)]


def by_score(scores: Any, level: float, log_weights: Any) -> Any:
    """Measure how far scores are from the level in their own scale."""
    finite = scores[np.isfinite(scores)]
    return (level - scores) / max(float(finite.std()), 1e-300)


def without_part(which: int) -> list[Change]:
    """Give the share of one part of the final mixtures to the fit."""

    def moved(rates: tuple[float, ...]) -> tuple[float, ...]:
        out = list(rates)
        out[0] += out[which] - 1e-12
        out[which] = 1e-12
        return tuple(out)

    kinds: list[Any] = [spaces.NormalSpace, DiscreteSpace]
    return [(kind, "rates", moved(kind.rates)) for kind in kinds]


def no_modes(*_: Any) -> Any:
    yield from ()


def nothing_overlooked(*_: Any) -> tuple[str, list[Any]]:
    return "", []


INGREDIENTS: dict[str, Callable[[], list[Change]]] = {
    WHOLE: list,
    "the second chain": lambda: [(plan, "CHAINS", 1)],
    "ranks in place of scores": lambda: [(learning, "distance", by_score)],
    "pooling of four batches": lambda: [(Archive, "recent", staticmethod(lambda c: c[:2] + c[2:][-1:]))],
    "the gradient's direction": lambda: [(spaces.NormalSpace, "slope", lambda *_: None)],
    "full covariances": lambda: without_structure("full"),
    "sparse diagonals": lambda: without_structure("sparse"),
    "one large coordinate": lambda: without_structure("one_large"),
    "the line along the gradient": lambda: without_structure("Along"),
    "low rank": lambda: without_structure("LowRank"),
    "one spread for all": lambda: without_structure("isotropic"),
    "steps given factors": lambda: without_structure("factor_steps"),
    "several components": one_component,
    "minimal hits": lambda: [(learning, "_find_modes", no_modes), (measuring, "_known_modes", lambda _: [])],
    "the inflated copy": lambda: without_part(1),
    "the wide part": lambda: [*without_part(2), (learning, "WIDE_SHARE", 1e-12)],
    "the nominal part": lambda: without_part(3),
    "measuring as long as learning": lambda: [(measuring, "MOST_TIMES", 1)],
    "refits": lambda: [(measuring, "REFITS", 0)],
    "the second look": lambda: [(measuring, "second_look", nothing_overlooked)],
    "doubt about heavy tails": lambda: [(measuring, "MOST_SHAPE", np.inf)],
    "doubt about lopsided weights": lambda: [(measuring, "MOST_LOPSIDED", np.inf)],
    "the resolution": lambda: [(estimates, "RESOLUTION", 0.0)],
}

Key = tuple[str, str, int]
Runs = dict[Key, Trial]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "without", nargs="*", metavar="INGREDIENT", help="which to take out, or nothing for all"
    )
    parser.add_argument("--cases", nargs="+", metavar="CASE", help="cases for tuning (default: all)")
    parser.add_argument("--runs", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0, help="seed of the first run")
    parser.add_argument("--minutes", type=float, default=np.inf, help="start no run after this many")
    parser.add_argument("--log", type=Path, help="JSON lines to append to, whose runs are not run again")
    given = parser.parse_args()
    unknown = set(given.without) - set(INGREDIENTS)
    if unknown:
        raise SystemExit(f"no ingredient is called {', '.join(sorted(unknown))}: {', '.join(INGREDIENTS)}")
    names = [WHOLE, *given.without] if given.without else list(INGREDIENTS)
    cases = [case for case in tuning.problems() if given.cases is None or case.name in given.cases]
    runs, began = read(given.log), time.monotonic()
    for name in names:
        with ExitStack() as stack:
            for target, attribute, value in INGREDIENTS[name]():
                stack.enter_context(patch.object(target, attribute, value))
            for case in cases:
                for seed in range(given.seed, given.seed + given.runs):
                    key = (name, case.name, seed)
                    if key not in runs and time.monotonic() - began < 60 * given.minutes:
                        runs[key] = trial(case, seed)
                        write(given.log, name, runs[key])
    report(names, [case.name for case in cases], runs)


def read(log: Path | None) -> Runs:
    if log is None or not log.exists():
        return {}
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return {(line.pop("without"), line["case"], line["seed"]): Trial(**line) for line in lines}


def write(log: Path | None, name: str, one: Trial) -> None:
    if log is not None:
        with log.open("a") as file:
            file.write(json.dumps({"without": name} | asdict(one), default=float) + "\n")


def report(names: list[str], cases: list[str], runs: Runs) -> None:
    """Print for each ingredient how calls and errors change, and in which cases most."""
    print(
        f"{'without':<30}{'runs':>5}{'calls':>7}{'claimed':>9}{'error':>7}{'covers':>8}{'wrong':>7}{'flagged':>9}"
        "  worst claimed"
    )
    for name in names:
        pairs = {case: paired(runs, name, case) for case in cases}
        pairs = {case: pair for case, pair in pairs.items() if pair[0]}
        if not pairs:
            continue
        every = [t for own, _ in pairs.values() for t in own]
        calls = {case: mean_calls(a) / mean_calls(b) for case, (a, b) in pairs.items()}
        claimed = {case: variance(a) / variance(b) for case, (a, b) in pairs.items()}
        error = {case: squared_error(a) / squared_error(b) for case, (a, b) in pairs.items()}
        worst = sorted(claimed, key=lambda case: -claimed[case])[:3] if name != WHOLE else []
        s = summarise(every)
        print(
            f"{name:<30}{len(every):>5}{middle(calls):>7.2f}{middle(claimed):>9.2f}{middle(error):>7.2f}"
            f"{s.covers:>8.3f}{s.wrong:>7}{1 - s.success:>9.3f}  "
            + ", ".join(f"{case} {claimed[case]:.1f}" for case in worst)
        )


def paired(runs: Runs, name: str, case: str) -> tuple[list[Trial], list[Trial]]:
    """Give the runs without an ingredient and with it, of the seeds that both have."""
    seeds = sorted(s for without, of, s in runs if (without, of) == (name, case) and (WHOLE, case, s) in runs)
    return [runs[name, case, s] for s in seeds], [runs[WHOLE, case, s] for s in seeds]


def mean_calls(trials: list[Trial]) -> float:
    return float(np.mean([t.calls for t in trials]))


def variance(trials: list[Trial]) -> float:
    """Give what the runs claim: the mean squared coefficient of variation times the mean calls."""
    return float(np.mean([t.cv**2 for t in trials])) * mean_calls(trials)


def squared_error(trials: list[Trial]) -> float:
    return summarise(trials).normal_rmse ** 2


def middle(values: dict[str, float]) -> float:
    """Give the geometric mean over cases."""
    return float(np.exp(np.mean(np.log(list(values.values())))))


if __name__ == "__main__":
    main()
