"""Areas and fractions of targets, tables of them, paired differences, and the ECDF plot."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

GROUPS = {
    "separable": range(1, 6),
    "moderate": range(6, 10),
    "ill": range(10, 15),
    "multimodal": range(15, 20),
    "weak": range(20, 25),
}


def area(hits: Any, d: int, multiple: float) -> float:
    inside = np.where(hits <= multiple * d, hits / d, multiple)
    return float(np.mean(1 - np.log10(np.maximum(inside, 1)) / np.log10(multiple)))


def fraction(hits: Any, d: int, multiple: float) -> float:
    return float(np.mean(hits <= multiple * d))


def clustered_error(differences: Any, functions: Any) -> float:
    """Standard error of the mean where problems of one function go together."""
    totals = np.array(
        [(differences[functions == f] - differences.mean()).sum() for f in np.unique(functions)]
    )
    m = totals.size
    return float(np.sqrt(m / max(m - 1, 1) * (totals**2).sum()) / differences.size)


def cell(area_: float, fraction_: float) -> str:
    return f"{area_:.3f}/{fraction_:.3f}".replace("0.", ".")


def report(problems: Any, results: dict[str, list[Any]], options: argparse.Namespace) -> None:
    """Print a table, and the paired differences of the first solver from the others."""
    functions, dims = problems[:, 0], problems[:, 2]
    multiple = options.multiple
    tables = {
        name: np.array(
            [
                (area(h, d, multiple), fraction(h, d, multiple), area(h, d, 100), fraction(h, d, 100))
                for h, d in zip(rows, dims, strict=True)
            ]
        )
        for name, rows in results.items()
    }
    columns = {"all": functions > 0, "6–24": functions > 5}
    columns |= {f"D={d}": dims == d for d in np.unique(dims)}
    columns |= {group: np.isin(functions, list(members)) for group, members in GROUPS.items()}
    columns = {name: mask for name, mask in columns.items() if mask.any()}
    print(f"\n| {multiple}·D | 100·D | " + " | ".join(columns) + " |")
    print("|---" * (len(columns) + 2) + "|")
    for name, t in tables.items():
        cells = [cell(t[:, 2].mean(), t[:, 3].mean())]
        cells += [cell(t[mask, 0].mean(), t[mask, 1].mean()) for mask in columns.values()]
        print(f"| {name} | " + " | ".join(cells) + " |")
    first, *others = tables
    for other in others:
        difference = tables[first] - tables[other]
        parts = []
        for name in ("all", "6–24"):
            if name in columns:
                mask = columns[name]
                for k, kind in ((0, "area"), (1, "fraction")):
                    error = clustered_error(difference[mask, k], functions[mask])
                    parts.append(f"{name} {kind} {difference[mask, k].mean():+.3f} ± {error:.3f}")
        error = clustered_error(difference[:, 2], functions)
        parts.append(f"100·D area {difference[:, 2].mean():+.3f} ± {error:.3f}")
        print(f"\n{first} − {other}: " + "; ".join(parts))
    if options.per_function:
        for f in np.unique(functions):
            mask = functions == f
            cells_ = "  ".join(f"{n} {cell(t[mask, 0].mean(), t[mask, 1].mean())}" for n, t in tables.items())
            print(f"f{f:<3} {cells_}")


def plot(problems: Any, results: dict[str, list[Any]], multiple: int, path: str) -> None:
    """Draw the share of targets hit against evaluations / D."""
    import matplotlib.pyplot as plt

    budgets = np.logspace(0, np.log10(multiple), 200)
    for name, rows in results.items():
        scaled = np.concatenate([hits / d for hits, d in zip(rows, problems[:, 2], strict=True)])
        plt.semilogx(budgets, [(scaled <= b).mean() for b in budgets], label=name)
    plt.xlabel("evaluations / D")
    plt.ylabel("share of targets hit")
    plt.legend()
    plt.savefig(path, dpi=150)
