"""What each ingredient of the improved rare-event method is worth: cases for tuning, with and without it.

Every ingredient is taken out by itself, by the setting that stands for it, and the
same cases are estimated with the same seeds. A ratio is that of "without" to "with", the geometric mean over
cases; above 1 the ingredient pays. That of the claimed variances (squared coefficients of variation times
calls) varies less from run to run, that of the squared errors times calls cannot be deceived. Runs are kept
in `--keep`, and a later call goes on where this one stopped.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import tuning
from trials import Trial, summarise, trial

from cem.rare_events.settings import DEFAULT, STRUCTURES, Settings
from problems.command import carry_out_benchmark, make_benchmark_parser, positive

WHOLE = "nothing"
HARDLY = 1e-12


def without_structure(name: str) -> Settings:
    return replace(DEFAULT, structures=tuple(each for each in STRUCTURES if each != name))


def by_score(scores: Any, level: float, log_weights: Any) -> Any:
    """Measure how far scores are from the level in their own scale."""
    finite = scores[np.isfinite(scores)]
    return (level - scores) / max(float(finite.std()), 1e-300)


def without_part(which: int, settings: Settings = DEFAULT) -> Settings:
    """Return the share of one part of the final mixtures to the fit."""

    def moved(rates: tuple[float, ...]) -> tuple[float, ...]:
        out = list(rates)
        out[0] += out[which] - HARDLY
        out[which] = HARDLY
        return tuple(out)

    normal, discrete = moved(settings.normal_rates), moved(settings.discrete_rates)
    return replace(settings, normal_rates=normal, discrete_rates=discrete)


SINGLE = replace(
    DEFAULT,
    full_components=(1,),
    sparse_components=(1,),
    many_components=((DEFAULT.many_components[-1][0], (1,)),),
    low_rank_components=(1,),
    full_beyond=(DEFAULT.full_beyond[0], (1,)),
)
INGREDIENTS: dict[str, Settings] = {
    WHOLE: DEFAULT,
    "the second chain": replace(DEFAULT, chains=1),
    "ranks in place of scores": replace(DEFAULT, distance=by_score),
    "pooling of four batches": replace(DEFAULT, window=1),
    "the gradient's direction": replace(DEFAULT, directions=False),
    "full covariances": without_structure("full"),
    "sparse diagonals": without_structure("sparse"),
    "one large coordinate": without_structure("one_large"),
    "the line along the gradient": without_structure("along"),
    "low rank": without_structure("low_rank"),
    "one spread for all": without_structure("isotropic"),
    "marginals in bins": without_structure("bins"),
    "steps given factors": without_structure("factor_steps"),
    "several components": SINGLE,
    "minimal hits": replace(DEFAULT, mode_starts=0),
    "the inflated copy": without_part(1),
    "the wide part": without_part(2, replace(DEFAULT, wide_share=HARDLY)),
    "the nominal part": without_part(3),
    "measuring as long as learning": replace(DEFAULT, most_times=1.0),
    "refits": replace(DEFAULT, refits=0),
    "the second look": replace(DEFAULT, most_far=np.inf),
    "doubt about heavy tails": replace(DEFAULT, most_shape=np.inf),
    "doubt about lopsided weights": replace(DEFAULT, most_lopsided=np.inf),
    "the resolution": replace(DEFAULT, least_error=0.0),
}

Key = tuple[str, str, int]
Runs = dict[Key, Trial]


def main() -> None:
    parser = make_benchmark_parser(__doc__, seed=0, runs=6)
    parser.add_argument(
        "without", nargs="*", metavar="INGREDIENT", help="which to take out, or nothing for all"
    )
    parser.add_argument("--cases", nargs="+", metavar="CASE", help="cases for tuning (default: all)")
    parser.add_argument(
        "--minutes", type=positive(float), default=np.inf, help="start no run after this many"
    )
    parser.add_argument("--keep", type=Path, help="JSON lines to append to, whose runs are not run again")
    given = parser.parse_args()
    unknown = set(given.without) - set(INGREDIENTS)
    if unknown:
        parser.error(f"no ingredient is called {', '.join(sorted(unknown))}: {', '.join(INGREDIENTS)}")
    names = [WHOLE, *given.without] if given.without else list(INGREDIENTS)
    cases = [case for case in tuning.problems() if given.cases is None or case.name in given.cases]
    if strange := set(given.cases or []) - {case.name for case in cases}:
        parser.error(f"no case for tuning is called {', '.join(sorted(strange))}")
    runs, began = read(given.keep), time.monotonic()
    for name in names:
        for case in cases:
            for seed in range(given.seed, given.seed + given.runs):
                key = (name, case.name, seed)
                if key not in runs and time.monotonic() - began < 60 * given.minutes:
                    runs[key] = trial(case, seed, INGREDIENTS[name])
                    write(given.keep, name, runs[key])
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
    """Return the runs without an ingredient and with it, of the seeds that both have."""
    seeds = sorted(s for without, of, s in runs if (without, of) == (name, case) and (WHOLE, case, s) in runs)
    return [runs[name, case, s] for s in seeds], [runs[WHOLE, case, s] for s in seeds]


def mean_calls(trials: list[Trial]) -> float:
    return float(np.mean([t.calls for t in trials]))


def variance(trials: list[Trial]) -> float:
    """Return what the runs claim: the mean squared coefficient of variation times the mean calls."""
    return float(np.mean([t.cv**2 for t in trials])) * mean_calls(trials)


def squared_error(trials: list[Trial]) -> float:
    return summarise(trials).normal_rmse ** 2


def middle(values: dict[str, float]) -> float:
    """Return the geometric mean over cases."""
    return float(np.exp(np.mean(np.log(list(values.values())))))


if __name__ == "__main__":
    carry_out_benchmark(main)
