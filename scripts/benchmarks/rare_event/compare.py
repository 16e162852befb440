"""Our estimates beside OpenTURNS: subset sampling, cross-entropy, NAIS, and FORM with importance sampling.

All work on the same cases; the peers on standard normal rows (a bit is a threshold of one). Ours and FORM
with importance sampling draw until they reach the coefficient of variation; the others, which have no such
rule for the whole, draw 5,000 a level. A peer's run that raises or outlasts `--max-time` is a failure, an
estimate of 0. Random-length paths are no row of fixed length, which the peers need: there ours is alone.

With `--keep` every run is kept as one JSON line as it ends, and a later call goes on where this one stopped.
"""

from __future__ import annotations

import json
import multiprocessing
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import tuning
from scipy.special import ndtri
from trials import HEADING, Timed, Trial, row, summarise, trial

import cem
from cem.rare_events.spaces.normal import NormalSpace
from cem.rare_events.working_space import resolve_inputs
from problems.command import carry_out_benchmark, keep_installed, make_benchmark_parser, positive
from problems.rare_event import RareEventProblem, suite

MOST_CALLS = 300_000
LEVEL_CALLS = 5_000
BLOCK = 500
OURS = "ours"
LONG = "took more than"

Key = tuple[str, str, int]
Runs = dict[Key, Trial]


class Counted:
    """A case as a function of standard normal rows, which counts them."""

    def __init__(self, problem: RareEventProblem) -> None:
        self.present = from_normal(problem)
        self.dimension = len(problem.inputs) if isinstance(problem.inputs, list) else problem.inputs.dimension
        self.timed, self.calls = Timed(problem.performance), 0
        self.problem = problem

    def __call__(self, rows: Any) -> Any:
        """Score rows of standard normals."""
        u = np.array(rows)
        self.calls += len(u)
        return np.asarray(self.timed(self.present(u)), dtype=float)[:, None]


def from_normal(problem: RareEventProblem) -> Callable[[Any], Any]:
    """Return the map from standard normal rows to a case's inputs."""
    if isinstance(problem.inputs, cem.Bernoulli):
        edges = -ndtri(problem.inputs.p)
        return lambda u: (u > edges).astype(np.int64)
    working = resolve_inputs(problem.inputs)
    if not isinstance(working.space, NormalSpace):
        raise ValueError(f"{problem.name} has no rows of fixed length.")
    return working.present


def event(counted: Counted) -> Any:
    import openturns as ot

    function = ot.PythonFunction(counted.dimension, 1, func_sample=counted)
    output = ot.CompositeRandomVector(function, ot.RandomVector(ot.Normal(counted.dimension)))
    comparison = ot.GreaterOrEqual() if counted.problem.tail == "upper" else ot.LessOrEqual()
    return ot.ThresholdEvent(output, comparison, float(counted.problem.level))


def subset_sampling(happening: Any) -> Any:
    import openturns as ot

    return ot.SubsetSampling(happening)


def cross_entropy(happening: Any) -> Any:
    import openturns as ot

    return ot.StandardSpaceCrossEntropyImportanceSampling(happening, 0.1)


def nais(happening: Any) -> Any:
    import openturns as ot

    return ot.NAIS(happening, 0.1)


def form(happening: Any) -> Any:
    import openturns as ot

    d = happening.getAntecedent().getDimension()
    search = ot.FORM(ot.AbdoRackwitz(), happening, ot.Point(d, 0.0))
    search.run()
    point = search.getResult().getStandardSpaceDesignPoint()
    centred = ot.Normal(point, ot.CovarianceMatrix(d))
    return ot.ProbabilitySimulationAlgorithm(happening, ot.ImportanceSamplingExperiment(centred))


PEERS: dict[str, Callable[[Any], Any]] = {
    "subset sampling": subset_sampling,
    "cross-entropy": cross_entropy,
    "NAIS": nais,
    "FORM + IS": form,
}


def peer_trial(name: str, problem: RareEventProblem, seed: int, target_cv: float) -> Trial:
    """Estimate once by a peer."""
    import openturns as ot

    ot.RandomGenerator.SetSeed(seed)
    ot.Log.Show(ot.Log.NONE)
    counted, began = Counted(problem), time.perf_counter()
    p = cv = half = 0.0
    message = ""
    try:
        algorithm = PEERS[name](event(counted))
        algorithm.setMaximumCoefficientOfVariation(target_cv)
        algorithm.setBlockSize(BLOCK)
        algorithm.setMaximumOuterSampling((MOST_CALLS if name == "FORM + IS" else LEVEL_CALLS) // BLOCK)
        algorithm.run()
        result = algorithm.getResult()
        p = result.getProbabilityEstimate()
        cv = result.getCoefficientOfVariation()
        half = result.getConfidenceLength(0.95) / 2
    except (RuntimeError, TypeError, ValueError) as error:
        message = str(error)
    took = time.perf_counter() - began
    if message:
        return failed(problem, seed, message, took, counted.calls)
    ratio, half = p / problem.reference, half / problem.reference
    low, high, own = ratio - half, ratio + half, took - counted.timed.seconds
    return Trial(
        problem.name, seed, ratio, cv, low, high, max(counted.calls, 1), p > 0, "done", "", took, own
    )


def failed(problem: RareEventProblem, seed: int, message: str, took: float, calls: int = 1) -> Trial:
    """Return the trial of a run that came to nothing: an estimate of 0."""
    return Trial(
        problem.name, seed, 0.0, np.nan, 0.0, 0.0, max(calls, 1), False, "failed", message, took, took
    )


def within(patience: float, name: str, problem: RareEventProblem, seed: int, target_cv: float) -> Trial:
    """Run a peer in a process of its own, which is ended after `patience` seconds."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)

    def work() -> None:
        sender.send(asdict(peer_trial(name, problem, seed, target_cv)))

    process = context.Process(target=work)
    process.start()
    sender.close()
    try:
        if receiver.poll(patience):
            return Trial(**receiver.recv())
        return failed(problem, seed, f"{LONG} {patience:g} s", patience)
    except EOFError:
        return failed(problem, seed, "the process died", np.nan)
    finally:
        process.kill()
        process.join()


def main() -> None:
    parser = make_benchmark_parser(__doc__, seed=0, runs=10, seconds=60)
    parser.add_argument("cases", nargs="*", metavar="CASE", help="names of cases, or nothing for all")
    parser.add_argument(
        "--target-cv",
        "--error",
        dest="error",
        type=positive(float, below=1),
        default=0.05,
        help="coefficient of variation to reach",
    )
    parser.add_argument("--methods", nargs="+", default=[OURS, *PEERS], choices=[OURS, *PEERS])
    parser.add_argument(
        "--minutes", type=positive(float), default=np.inf, help="start no run after this many"
    )
    parser.add_argument("--keep", type=Path, help="JSON lines to append to, whose runs are not run again")
    parser.add_argument("--tuning", action="store_true", help="the cases for tuning in place of the suite")
    given = parser.parse_args()
    given.methods = keep_installed(given.methods, dict.fromkeys(PEERS, "openturns"))
    began = time.monotonic()
    cases = chosen(given.cases, tuning.problems() if given.tuning else suite())
    runs = read(given.keep)
    seeds = range(given.seed, given.seed + given.runs)
    for seed in seeds:
        for problem in cases:
            for method in given.methods:
                key = (method, problem.name, seed)
                late = time.monotonic() - began > 60 * given.minutes
                alone = method != OURS and isinstance(problem.inputs, cem.MarkovPath)
                if key in runs or late or alone or hopeless(runs, method, problem.name):
                    continue
                if method == OURS:
                    runs[key] = trial(problem, seed, target_cv=given.error)
                else:
                    runs[key] = within(given.max_time, method, problem, seed, given.error)
                write(given.keep, method, runs[key])
    report(cases, runs)


def hopeless(runs: Runs, method: str, case: str) -> bool:
    """Whether a peer has run out of time or failed twice on a case, never having come through."""
    own = [t for (by, name, _), t in runs.items() if (by, name) == (method, case)]
    if method == OURS or any(t.status != "failed" for t in own):
        return False
    return len(own) >= 2 or any(LONG in t.message for t in own)


def chosen(names: list[str], every: list[RareEventProblem]) -> list[RareEventProblem]:
    cases = {case.name: case for case in every}
    unknown = [name for name in names if name not in cases]
    if unknown:
        raise SystemExit(f"no case is called {', '.join(unknown)}.")
    return [cases[name] for name in names] if names else list(cases.values())


def read(log: Path | None) -> Runs:
    if log is None or not log.exists():
        return {}
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return {(line["by"], line["case"], line["seed"]): Trial(**_without(line, "by")) for line in lines}


def _without(line: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in line.items() if key != name}


def write(log: Path | None, method: str, one: Trial) -> None:
    text = json.dumps({"by": method} | asdict(one), default=float)
    if log is not None:
        with log.open("a") as file:
            file.write(text + "\n")
    print(
        f"{one.case:<18}{method:<17}{one.seed:>5}{one.ratio:>8.3f}{one.calls:>9,} {one.message}", flush=True
    )


def report(cases: list[RareEventProblem], runs: Runs) -> None:
    """Print a table a case, and how often we are ahead of the best peer."""
    gains = {}
    for problem in cases:
        by: dict[str, list[Trial]] = {}
        for (method, name, _), one in runs.items():
            if name == problem.name:
                by.setdefault(method, []).append(one)
        if not by:
            continue
        print(f"\n{problem.name}: {problem.reference:.6g}\n{HEADING}")
        for method in [OURS, *PEERS]:
            if method in by:
                bad = sum(t.status == "failed" for t in by[method])
                print(row(method, by[method]) + (f"   {bad} failed" if bad else ""))
        if OURS in by and len(by) > 1:
            gains[problem.name] = gain(by)
    if not gains:
        return
    overview(gains, runs)
    print(f"\n{HEADING}")
    for method in [OURS, *PEERS]:
        own = [one for (by_, _, _), one in runs.items() if by_ == method]
        if own:
            bad = sum(t.status == "failed" for t in own)
            print(row(method, own) + f"   {bad} failed")


def overview(gains: dict[str, float], runs: Runs) -> None:
    """Print the normalised rmse of all methods side by side, in brackets confident errors, and the gain."""
    print(
        "\nnormalised rmse (in brackets: runs confidently off by more than 12 %), and our gain in efficiency"
    )
    print(f"{'case':<18}" + "".join(f"{method:>17}" for method in [OURS, *PEERS]) + f"{'gain':>9}")
    for name, value in gains.items():
        line = f"{name:<18}"
        for method in [OURS, *PEERS]:
            own = [one for (by, case, _), one in runs.items() if (by, case) == (method, name)]
            whole = own and all(one.status != "failed" for one in own)
            s = summarise(own) if whole else None
            line += f"{'fails':>17}" if s is None else f"{s.normal_rmse:>12.3f} ({s.wrong:>2})"
        print(line + f"{value:>9.1f}")
    ahead = np.array(list(gains.values()))
    print(
        f"\nefficiency (relative mean squared error times calls) over the best peer's: ahead in "
        f"{(ahead > 1).sum()} of {len(ahead)} cases (in {np.isinf(ahead).sum()} no peer came through), "
        f"median {np.median(ahead):.1f} times; "
        f"behind in {', '.join(name for name, value in gains.items() if value <= 1) or 'none'}"
    )


def gain(by: dict[str, list[Trial]]) -> float:
    """Return our efficiency over the best of those peers that never failed; infinite where there is none."""
    whole = [t for name, t in by.items() if name != OURS and all(one.status != "failed" for one in t)]
    best = min((summarise(t).normal_rmse for t in whole), default=np.inf)
    return float(best / max(summarise(by[OURS]).normal_rmse, 1e-12)) ** 2


if __name__ == "__main__":
    carry_out_benchmark(main)
