"""Try plans, estimates, families, readers and checkpoints on inputs of every kind, and say what is wrong.

A fault is any exception but a clear ValueError, TypeError or ObjectiveError, any warning, more memory or
time than a case deserves, a candidate outside its space, a success that is none, and a seed that gives two
answers.
"""

from __future__ import annotations

from fuzzing import checkpoints, estimates, families, plans, readers
from fuzzing.runner import Case, go

from problems.command import carry_out_benchmark, make_benchmark_parser, positive

CASES: dict[str, Case] = {
    "optimizing": plans.optimizing,
    "asking": plans.asking,
    "estimating": estimates.estimating,
    "quantiles": estimates.quantiles,
    "families": families.using,
    "parameters": families.making,
    "readers": readers.reading,
    "checkpoints": checkpoints.resuming,
    "states": checkpoints.loading,
}


def main() -> int:
    parser = make_benchmark_parser(__doc__, seed=1, seconds=600)
    parser.add_argument("--cases", type=positive(int), default=None, help="of each kind at most")
    parser.add_argument("--only", choices=CASES, nargs="+", default=list(CASES), help="kinds to try")
    asked = parser.parse_args()
    tallies = go({kind: CASES[kind] for kind in asked.only}, asked.seed, asked.max_time, asked.cases)
    print(f"\n{'kind':<12} {'cases':>7} {'findings':>9}  outcomes")
    for kind, tally in tallies.items():
        outcomes = sorted(tally.outcomes.items(), key=lambda each: -each[1])
        said = ", ".join(f"{number} {outcome}" for outcome, number in outcomes)
        print(f"{kind:<12} {tally.tried:>7} {len(tally.findings):>9}  {said}")
    found = sum(len(tally.findings) for tally in tallies.values())
    print(f"seeds {asked.seed} and on: {found} findings in {sum(t.tried for t in tallies.values())} cases")
    return 1 if found else 0


if __name__ == "__main__":
    carry_out_benchmark(main)
