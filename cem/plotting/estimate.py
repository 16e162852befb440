"""What an estimate rests on: its levels, its interval, its weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cem.core.budget import positive_count
from cem.plotting.axes import COLOURS, check_result, new_axes, stages

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def estimate(estimate: Any, *, ax: Axes | None = None, reference: float | None = None) -> Axes:
    """Draw how the levels of an estimate rose, and where it ended.

    Parameters
    ----------
    estimate : ProbabilityEstimate or QuantileEstimate
    ax : matplotlib Axes, optional
    reference : float, optional
        The right value, where it is known: drawn as a line beside the interval.

    Returns
    -------
    matplotlib Axes
        Levels against evaluations on the left-hand scale. On the right-hand one the probability (on a log
        scale) as it was measured, its 95 % interval a band, and where it ended, of a system also the
        probability of each mode; or the quantile and its interval.

    Raises
    ------
    TypeError
        If it is no estimate.
    ImportError
        If matplotlib is not installed.
    """
    check_result(
        estimate, "an estimate (cem.plotting.convergence draws a result)", "confidence_interval", "nit"
    )
    ax = new_axes(ax)
    history = estimate.history
    colours: dict[str, str] = {}
    for name, part in stages(history):
        label = None if name in colours else name
        colour = colours.setdefault(name, COLOURS[len(colours) % len(COLOURS)])
        ax.plot(history.nfev[part], history.level[part], "o-", ms=3, color=colour, label=label)
    ax.set_xlabel("evaluations")
    ax.set_ylabel("level")
    probable = hasattr(estimate, "standard_error")
    value = estimate.probability if probable else estimate.quantile
    low, high = estimate.confidence_interval()
    right = ax.twinx()
    if probable:
        running = np.isfinite(history.cv) & (history.low > 0)
        nfev = history.nfev[running]
        right.plot(nfev, history.probability[running], color=COLOURS[6], lw=1)
        right.fill_between(
            nfev, history.low[running], history.high[running], color=COLOURS[6], alpha=0.2, lw=0
        )
    if np.isfinite([value, low, high]).all():
        reach = [[max(value - low, 0)], [max(high - value, 0)]]
        right.errorbar([estimate.nfev], [value], reach, fmt="D", ms=4, capsize=4, color=COLOURS[6])
    if getattr(estimate, "modes", None) is not None:
        for k, mode in enumerate(estimate.modes):
            right.plot([estimate.nfev], [mode.probability], "_", ms=12, color=COLOURS[k % len(COLOURS)])
            right.annotate(mode.name, (estimate.nfev, mode.probability), fontsize="x-small", ha="right")
    if len(history):
        right.legend(*ax.get_legend_handles_labels(), loc="upper left", fontsize="small")
    if reference is not None:
        right.axhline(reference, color=COLOURS[2], ls="--", lw=1)
    if probable and value > 0:
        right.set_yscale("log")
    right.set_ylabel("probability, 95 % interval" if probable else "quantile, 95 % interval")
    return ax


def weights(estimate: Any, *, ax: Axes | None = None, largest: int = 50) -> Axes:
    """Draw the shares of the heaviest failure samples, falling, beside those of equal weights.

    Parameters
    ----------
    estimate : ProbabilityEstimate
    ax : matplotlib Axes, optional
    largest : int
        How many to draw.

    Returns
    -------
    matplotlib Axes
        Its title has the effective sample size and the Pareto shape of the weights' tail.

    Raises
    ------
    TypeError
        If it is no estimate of a probability.
    ValueError
        If no draw hit the event, or none is to be drawn.
    ImportError
        If matplotlib is not installed.
    """
    check_result(estimate, "an estimate of a probability", "failure_samples")
    shares = np.sort(estimate.failure_samples().weights)[::-1]
    if not shares.size:
        raise ValueError("there is nothing to draw: no draw hit the event.")
    ax = new_axes(ax)
    shown = shares[: positive_count("largest", largest)]
    ax.bar(np.arange(1, len(shown) + 1), shown, color=COLOURS[0])
    ax.axhline(1 / shares.size, color=COLOURS[1], ls="--", lw=1, label="equal weights")
    ax.set_xlabel("hit, by weight")
    ax.set_ylabel("share of the probability")
    worth, shape = estimate.effective_sample_size, estimate.pareto_shape
    ax.set_title(f"{shares.size} hits worth {worth:.0f}; Pareto shape {shape:.2f}", fontsize="medium")
    ax.legend()
    return ax
