"""Find short schedules of flow shops, in Taillard's format: ``python -m problems.flowshop FILE…``."""

from __future__ import annotations

from problems.command import carry_out
from problems.flowshop import FlowShop
from problems.solving import solve_files


def main(arguments: list[str] | None = None) -> int:
    """Carry the command out; return its exit code."""
    return solve_files(FlowShop.from_file, "python -m problems.flowshop", __doc__, arguments)


if __name__ == "__main__":
    carry_out(main)
