"""Fill the multiple knapsacks of OR-Library files: ``python -m problems.knapsack FILE…``."""

from __future__ import annotations

from problems.command import carry_out
from problems.knapsack import MultiKnapsack
from problems.solving import solve_files


def main(arguments: list[str] | None = None) -> int:
    """Carry the command out; return its exit code."""
    return solve_files(MultiKnapsack.from_file, "python -m problems.knapsack", __doc__, arguments)


if __name__ == "__main__":
    carry_out(main)
