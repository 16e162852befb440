"""Minimise x'Qx of MatrixMarket files over zeros and ones: ``python -m problems.qubo FILE…``."""

from __future__ import annotations

from problems.command import carry_out
from problems.qubo import QUBO
from problems.solving import solve_files


def main(arguments: list[str] | None = None) -> int:
    """Carry the command out; return its exit code."""
    return solve_files(QUBO.from_file, "python -m problems.qubo", __doc__, arguments)


if __name__ == "__main__":
    carry_out(main)
