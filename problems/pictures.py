"""Pictures of answers: a cut, a tour, a schedule, an assignment (matplotlib, imported where one is drawn)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from cem.families.base import Floats, Index, Mask
from cem.plotting.axes import COLOURS, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_NAMED = 40  # vertices, cities or bars that are labelled


def draw_cut(edges: Index, sides: Mask, points: Any, names: Any, title: str, ax: Axes | None) -> Axes:
    """Draw a graph's vertices by their sides, cut edges in colour and the others dashed.

    Parameters
    ----------
    edges : ndarray, shape (m, 2)
    sides : ndarray of bool, shape (n,)
    points : array_like, shape (n, 2), or None
        Where the vertices are; None for a layout by the graph's structure.
    names : sequence of length n
    title : str
    ax : matplotlib Axes, optional

    Raises
    ------
    ValueError
        If `points` has another shape.
    """
    at = layout(len(sides), edges) if points is None else np.asarray(points, dtype=np.float64)
    if at.shape != (len(sides), 2):
        raise ValueError(f"points must have shape ({len(sides)}, 2), one a vertex; got {at.shape}")
    ax = new_axes(ax)
    from matplotlib.collections import LineCollection

    crossing = sides[edges[:, 0]] != sides[edges[:, 1]]
    for chosen, colour, dash, width, label in (
        (~crossing, "0.6", "--", 0.8, "inside a side"),
        (crossing, COLOURS[1], "-", 1.5, "cut"),
    ):
        lines: Any = at[edges[chosen]]
        ax.add_collection(
            LineCollection(lines, colors=colour, linestyles=dash, linewidths=width, label=label, zorder=1)
        )
    for side, marker in ((False, "o"), (True, "s")):
        x, y = at[sides == side].T
        ax.scatter(x, y, marker=marker, color=COLOURS[0 if side else 2], zorder=2, label=f"side {int(side)}")
    if len(sides) <= MOST_NAMED:
        for name, place in zip(names, at.tolist(), strict=True):
            ax.annotate(str(name), place, textcoords="offset points", xytext=(5, 5), fontsize="small")
    _without_scales(ax, title)
    ax.legend(fontsize="small")
    return ax


def layout(n: int, edges: Index) -> Floats:
    """Return places for vertices, shape ``(n, 2)``: Hall's (1970), by two eigenvectors of the Laplacian.

    A graph that is not connected, or has fewer than four vertices, goes on a circle.

    References
    ----------
    Hall (1970), "An r-dimensional quadratic placement algorithm", Management Science 17(3).
    """
    angle = 2 * np.pi * np.arange(n) / n
    circle: Floats = np.column_stack((np.cos(angle), np.sin(angle)))
    ones = np.ones(len(edges))
    half = sparse.csr_array((ones, (edges[:, 0], edges[:, 1])), shape=(n, n))
    adjacency: Any = half + half.T
    if n < 4 or sparse.csgraph.connected_components(adjacency, directed=False)[0] > 1:
        return circle
    degrees = np.asarray(adjacency.sum(axis=0)).ravel()
    laplacian: Any = sparse.diags_array(degrees) - adjacency
    if n <= 500:
        vectors = np.linalg.eigh(laplacian.toarray())[1][:, 1:3]
    else:
        from scipy.sparse.linalg import eigsh

        # shifted a little below zero, where the Laplacian can be factored
        vectors = eigsh(laplacian.tocsc(), k=3, sigma=-1e-3, v0=np.ones(n))[1][:, 1:3]
    places: Floats = vectors / abs(vectors).max(axis=0)
    return places


def draw_tour(points: Floats, order: Index, title: str, ax: Axes | None) -> Axes:
    """Draw a closed tour through points, shape ``(n, 2)``, in the given order."""
    ax = new_axes(ax)
    x, y = points[np.append(order, order[0])].T
    ax.plot(x, y, "-", color=COLOURS[0], linewidth=1.2, zorder=1)
    ax.scatter(points[:, 0], points[:, 1], color=COLOURS[1], s=18, zorder=2)
    if len(points) <= MOST_NAMED:
        for city, place in enumerate(points.tolist()):
            ax.annotate(str(city), place, textcoords="offset points", xytext=(4, 4), fontsize="small")
    _without_scales(ax, title)
    ax.set_aspect("equal")
    return ax


def draw_schedule(starts: Floats, times: Floats, order: Index, title: str, ax: Axes | None) -> Axes:
    """Draw a Gantt chart: a row a machine, a bar a job.

    Parameters
    ----------
    starts : ndarray, shape (m, n)
        When each machine begins the k-th job of `order`.
    times : ndarray, shape (m, n)
        How long it takes.
    order : ndarray, shape (n,)
    title : str
    ax : matplotlib Axes, optional
    """
    ax = new_axes(ax)
    machines = np.arange(len(starts))
    for k, job in enumerate(order.tolist()):
        bars = ax.barh(
            machines, times[:, k], left=starts[:, k], color=COLOURS[job % 6], edgecolor="white", alpha=0.85
        )
        if len(order) <= MOST_NAMED:
            ax.bar_label(bars, [str(job)] * len(machines), label_type="center", fontsize="small")
    ax.set_yticks(machines, [f"machine {k}" for k in machines])
    ax.invert_yaxis()
    ax.set_xlabel("time")
    ax.set_title(title)
    return ax


def draw_assignment(distances: Floats, flows: Floats, x: Index, title: str, ax: Axes | None) -> Axes:
    """Draw facilities at their places, and a line between two for what flows, the wider the more.

    Parameters
    ----------
    distances, flows : ndarray, shape (n, n)
        Symmetric.
    x : ndarray, shape (n,)
        The place of each facility.
    title : str
    ax : matplotlib Axes, optional
    """
    ax = new_axes(ax)
    from matplotlib.collections import LineCollection

    at = scaled_apart(distances)[x]
    pairs = np.argwhere(np.triu(flows, 1) != 0)
    amounts = abs(flows[pairs[:, 0], pairs[:, 1]])
    lines: Any = at[pairs]
    widths = 4 * amounts / amounts.max() if len(pairs) else amounts
    ax.add_collection(LineCollection(lines, colors=COLOURS[0], linewidths=widths, alpha=0.4, zorder=1))
    ax.scatter(at[:, 0], at[:, 1], color=COLOURS[1], s=18, zorder=2)
    if len(at) <= MOST_NAMED:
        for facility, place in enumerate(at.tolist()):
            ax.annotate(str(facility), place, textcoords="offset points", xytext=(4, 4), fontsize="small")
    _without_scales(ax, title)
    ax.set_aspect("equal", adjustable="datalim")
    return ax


def scaled_apart(distances: Floats) -> Floats:
    """Return points in the plane, shape ``(n, 2)``, whose distances are about those of a matrix.

    References
    ----------
    Torgerson (1952), "Multidimensional scaling: I. Theory and method", Psychometrika 17.
    """
    squares = distances**2
    centred = squares - squares.mean(axis=0) - squares.mean(axis=1)[:, None] + squares.mean()
    values, vectors = np.linalg.eigh(-centred / 2)
    points = np.zeros((len(distances), 2))
    top = min(2, len(distances))
    points[:, :top] = (vectors * np.sqrt(np.maximum(values, 0)))[:, ::-1][:, :top]
    return points


def _without_scales(ax: Axes, title: str) -> None:
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_title(title)
    ax.margins(0.1)
