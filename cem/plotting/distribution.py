"""How a distribution moves: ellipses of two variables, or a heat map of bits and labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cem.families.base import Family
from cem.plotting.axes import COLOURS, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MASS = 0.9  # inside each ellipse
AROUND = np.linspace(0, 2 * np.pi, 100)


def distribution(
    families: Family | Iterable[Family], *, ax: Axes | None = None, variables: tuple[int, int] = (0, 1)
) -> Axes:
    """Draw one distribution, or the same one iteration by iteration.

    Gaussians of two variables and more are ellipses that hold 90 % of two variables; of one variable, a band
    of mean and two standard deviations over the iterations. Bits and labels are heat maps: positions across,
    iterations down, with the chance of a 1 or of the likeliest label.

    Parameters
    ----------
    families : Family or an iterable of them
        A callback collects them: ``callback=lambda intermediate_result:
        families.append(intermediate_result.family)``.
    ax : matplotlib Axes, optional
    variables : tuple of two int
        Which variables an ellipse shows.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    TypeError
        If a family is of a kind that has no picture.
    ValueError
        If there is no family, if they differ in dimension, or if there are no such variables.
    ImportError
        If matplotlib is not installed.
    """
    several = isinstance(families, Iterable) and not isinstance(families, Mapping)
    shown: list[Any] = list(families) if several else [families]  # type: ignore[arg-type]
    if not shown:
        raise ValueError("there is nothing to draw: no families were given.")
    sizes = {getattr(each, "dimension", None) for each in shown}
    if len(sizes) > 1:
        raise ValueError("the families must be those of one run, all of the same dimension.")
    table = _chances(shown)
    if table is not None:
        ax = new_axes(ax)
        image = ax.imshow(table, aspect="auto", cmap="cividis", vmin=0, vmax=1, interpolation="nearest")
        ax.figure.colorbar(image, ax=ax, label="chance")
        ax.set_xlabel("position")
        ax.set_ylabel("iteration")
        return ax
    if not all(hasattr(each, "mean") and hasattr(each, "std") for each in shown):
        kind = type(shown[0]).__name__
        raise TypeError(f"there is no picture for {kind}: Gaussians, bits and labels have one.")
    if shown[0].dimension == 1:
        return _band(shown, new_axes(ax))
    chosen = list(variables) if isinstance(variables, Sequence) else [variables]
    if len(chosen) != 2 or not set(chosen) <= set(range(shown[0].dimension)):
        last = shown[0].dimension - 1
        raise ValueError(f"variables must be two numbers of variables, from 0 to {last}, got {variables!r}.")
    return _ellipses(shown, new_axes(ax), chosen)


def _chances(shown: list[Any]) -> Any:
    """Return a row of chances for each family of bits or labels; None for others."""
    if all(hasattr(each, "p") for each in shown):
        return np.array([each.p for each in shown])
    if all(hasattr(each, "categories") and hasattr(each, "probabilities") for each in shown):
        return np.array([each.probabilities.max(axis=1) for each in shown])
    return None


def _band(shown: list[Any], ax: Axes) -> Axes:
    mean, std = (np.array([float(getattr(each, name)[0]) for each in shown]) for name in ("mean", "std"))
    t = np.arange(1, len(shown) + 1)
    ax.fill_between(t, mean - 2 * std, mean + 2 * std, color=COLOURS[0], alpha=0.25, lw=0)
    ax.plot(t, mean, color=COLOURS[0])
    ax.set_xlabel("iteration")
    ax.set_ylabel("mean ± 2 standard deviations")
    return ax


def _ellipses(shown: list[Any], ax: Axes, chosen: list[int]) -> Axes:
    radius = np.sqrt(-2 * np.log(1 - MASS))  # of the chi-square law with two degrees of freedom
    circle = radius * np.stack([np.cos(AROUND), np.sin(AROUND)])
    for k, each in enumerate(shown):
        if getattr(each, "diagonal", True):
            root = np.diag(each.std[chosen])
        else:
            root = np.linalg.cholesky(each.covariance[np.ix_(chosen, chosen)])
        x, y = each.mean[chosen][:, None] + root @ circle
        ax.plot(x, y, color=COLOURS[0], alpha=0.25 + 0.75 * (k + 1) / len(shown), lw=1)
    means = np.array([each.mean[chosen] for each in shown])
    ax.plot(*means.T, "o-", color=COLOURS[1], ms=3, lw=0.8)
    ax.set_xlabel(f"variable {chosen[0]}")
    ax.set_ylabel(f"variable {chosen[1]}")
    return ax
