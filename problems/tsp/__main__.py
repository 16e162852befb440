"""Find short tours of TSPLIB files: ``python -m problems.tsp FILE…``."""

from __future__ import annotations

from problems.command import carry_out
from problems.solving import solve_files
from problems.tsp import TSP


def main(arguments: list[str] | None = None) -> int:
    """Carry the command out; return its exit code."""
    return solve_files(TSP.from_file, "python -m problems.tsp", __doc__, arguments)


if __name__ == "__main__":
    carry_out(main)
