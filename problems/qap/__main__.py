"""Solve quadratic assignments, in QAPLIB format: ``python -m problems.qap FILE…``."""

from __future__ import annotations

from problems.command import carry_out
from problems.qap import QAP
from problems.solving import solve_files


def main(arguments: list[str] | None = None) -> int:
    """Carry the command out; return its exit code."""
    return solve_files(QAP.from_file, "python -m problems.qap", __doc__, arguments)


if __name__ == "__main__":
    carry_out(main)
