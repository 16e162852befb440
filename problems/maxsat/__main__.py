"""Satisfy most clauses of CNF or WCNF files: ``python -m problems.maxsat FILE…``."""

from __future__ import annotations

from problems.command import carry_out
from problems.maxsat import MaxSAT
from problems.solving import solve_files


def main(arguments: list[str] | None = None) -> int:
    """Carry the command out; return its exit code."""
    return solve_files(MaxSAT.from_file, "python -m problems.maxsat", __doc__, arguments)


if __name__ == "__main__":
    carry_out(main)
