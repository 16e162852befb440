"""What a claim is worth: cases that were written to break the estimator, and none of which it was tuned on.

A lie is a claim (`success`) that is off by more than a quarter; of a quantile, the true probability beyond it
is compared with the one asked for. Ordinary cases are those of compare.py.

    python scripts/benchmarks/rare_event/claims.py --runs 2
    python scripts/benchmarks/rare_event/claims.py --only multilevel
"""

from __future__ import annotations

import time

import numpy as np
from claim_cases import Case
from claim_more_cases import cases
from outside import HUGE

import cem
from problems.command import carry_out_benchmark, make_benchmark_parser, pattern, positive


def run(case: Case, seed: int, evaluations: int) -> tuple[bool, float, bool, int]:
    """Return whether a run claims, its estimate over the truth, whether it covers, and its calls."""
    options = {"vectorized": True, "max_evaluations": evaluations, "rng": seed, **case.options}
    with np.errstate(over="ignore"):
        if case.beyond is None:
            e = cem.estimate_probability(case.performance, case.inputs, case.level, **options)
            low, high = e.confidence_interval()
            return e.success, e.probability / case.exact, low <= case.exact <= high, e.nfev
        q = cem.estimate_quantile(case.performance, case.inputs, case.level, **options)
        low, high = q.confidence_interval()
        covers = case.beyond(high) <= case.exact <= case.beyond(low)
        return q.success, case.beyond(q.quantile) / case.exact, covers, q.nfev


def main() -> None:
    """Run the cases and print a line for each run, then for each kind."""
    parser = make_benchmark_parser(__doc__, seed=0, runs=1)
    parser.add_argument("--only", type=pattern, default="", help="a regular expression of names and kinds")
    parser.add_argument("--max-evaluations", type=positive(int), default=300_000)
    given = parser.parse_args()
    chosen = {name: c for name, c in cases().items() if given.only.search(f"{c.kind}: {name}")}
    if not chosen:
        parser.error(f"no case is named like {given.only.pattern!r}.")
    rows: dict[str, list[tuple[bool, bool, bool, int]]] = {}
    for name, case in chosen.items():
        for seed in range(given.seed, given.seed + given.runs):
            began = time.process_time()
            claimed, ratio, covers, calls = run(case, seed, given.max_evaluations)
            lie = claimed and abs(ratio - 1) > HUGE
            rows.setdefault(case.kind, []).append((claimed, lie, claimed and covers, calls))
            mark = "LIE" if lie else "claimed" if claimed else "flagged"
            text = f"{name:<28}{seed:>3}{ratio:>9.3f}{calls:>9}  {mark}{'' if covers else ', not covered'}"
            print(f"{text:<72}{time.process_time() - began:>6.1f} s", flush=True)
    print(f"\n{'kind':<12}{'runs':>6}{'claimed':>9}{'lies':>6}{'cover':>7}{'calls':>9}")
    rows["all"] = [each for runs in rows.values() for each in runs]
    for kind, runs in rows.items():
        claims, lies, cover, spent = (np.array(column) for column in zip(*runs, strict=True))
        share = cover.sum() / max(claims.sum(), 1)
        typical = np.exp(np.log(spent).mean())
        print(f"{kind:<12}{len(runs):>6}{claims.sum():>9}{lies.sum():>6}{share:>7.2f}{typical:>9.0f}")


if __name__ == "__main__":
    carry_out_benchmark(main)
