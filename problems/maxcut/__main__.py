"""Cut graphs of rudy (Gset), BiqMac, DIMACS or MatrixMarket files: ``python -m problems.maxcut FILE…``."""

from __future__ import annotations

from problems.command import carry_out
from problems.maxcut import MaxCut
from problems.solving import solve_files


def main(arguments: list[str] | None = None) -> int:
    """Carry the command out; return its exit code."""
    return solve_files(MaxCut.from_file, "python -m problems.maxcut", __doc__, arguments, MaxCut.bound)


if __name__ == "__main__":
    carry_out(main)
