"""Our estimates beside OpenTURNS's subset sampling, cross-entropy, NAIS, and FORM with importance sampling.

All work on the same standard normal inputs. Ours and FORM + IS draw until they reach the coefficient of
variation; the others, which have no such rule for the whole, draw 5,000 a level. Efficiencies are per call.
Cases with bits are left out: the others do not take them. A method that
raises is counted as failed, an estimate of 0, and is left out of the comparison.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from cem.improved.inputs import work_in
from cem.improved.spaces import NormalSpace
from problems.rare_event import RareEventProblem, suite
from problems.rare_event.trials import HEADING, Trial, row, summarise, trial

MOST_CALLS = 300_000
LEVEL_CALLS = 5_000
BLOCK = 500


class Counted:
    """A case as a function of standard normal rows, which counts them."""

    def __init__(self, problem: RareEventProblem) -> None:
        working = work_in(problem.inputs)
        if working is None or not isinstance(working[0], NormalSpace):
            raise ValueError(f"{problem.name} has no standard normal inputs.")
        self.dimension, self.present = working[0].dimension, working[1].present
        self.problem, self.calls = problem, 0

    def __call__(self, rows: Any) -> Any:
        """Score rows of standard normals."""
        u = np.array(rows)
        self.calls += len(u)
        return np.asarray(self.problem.performance(self.present(u)), dtype=float)[:, None]


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
    """Estimate once by a peer; a failure is an estimate of 0."""
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
    ratio, half = p / problem.reference, half / problem.reference
    return Trial(
        problem.name,
        seed,
        ratio,
        cv,
        ratio - half,
        ratio + half,
        max(counted.calls, 1),
        p > 0,
        "failed" if message else "done",
        message,
        time.perf_counter() - began,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help="names of cases, or nothing for all")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--error", type=float, default=0.05, help="coefficient of variation to reach")
    given = parser.parse_args()
    try:
        import openturns
    except ImportError as error:
        raise SystemExit("the peers need OpenTURNS: pip install cemkit[bench]") from error
    print(f"OpenTURNS {openturns.__version__}; {given.runs} runs, seeds {given.seed} …\n")
    ahead = []
    for problem in suite():
        working = work_in(problem.inputs)
        if working is None or not isinstance(working[0], NormalSpace):
            continue
        if given.cases and problem.name not in given.cases:
            continue
        ahead.append(compare(problem, range(given.seed, given.seed + given.runs), given.error))
    if not ahead:
        raise SystemExit("no such case with continuous inputs.")
    print(
        f"\nefficiency (relative mean squared error times calls) over the best peer's: ahead in "
        f"{np.mean(np.array(ahead) > 1):.0%} of {len(ahead)} cases, median {np.median(ahead):.1f} times"
    )


def compare(problem: RareEventProblem, seeds: range, target_cv: float) -> float:
    """Print the table of one case; give our efficiency over the best peer's."""
    print(f"{problem.name}: {problem.reference:.6g}\n{HEADING}")
    ours = [trial(problem, seed, target_cv=target_cv) for seed in seeds]
    print(row("ours", ours))
    best = np.inf
    for name in PEERS:
        theirs = [peer_trial(name, problem, seed, target_cv) for seed in seeds]
        failed = sum(t.status == "failed" for t in theirs)
        if not failed:
            best = min(best, summarise(theirs).normal_rmse)
        print(row(name, theirs) + (f"   {failed} failed" if failed else ""))
    print(flush=True)
    return float(best / max(summarise(ours).normal_rmse, 1e-12)) ** 2


if __name__ == "__main__":
    main()
