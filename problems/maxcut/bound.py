"""An upper bound on the maximum cut: a dual point of the semidefinite relaxation, made safe against rounding.

With `W` the symmetric weight matrix and `x` a vector of ±1, a cut is worth ``sum(w)/2 - x'Wx/4``. For every
diagonal `z` with ``W + Diag(z)`` positive semidefinite, ``x'Wx >= -sum(z)`` whatever `x` is, hence

    cut(x) <= sum(w)/2 + sum(z)/4.

The least such bound is that of Goemans and Williamson. How `z` was found does not matter for its validity, so
it is found by fast methods without guarantees (`_relaxed`, `least_eigenvalue`), and then the one thing that
matters, that ``W + Diag(z)`` is positive semidefinite, is *proved* (`is_semidefinite`).

References
----------
M. X. Goemans, D. P. Williamson: Improved approximation algorithms for maximum cut and satisfiability problems
using semidefinite programming. Journal of the ACM 42 (1995) 1115–1145 (the relaxation).
S. Burer, R. D. C. Monteiro: A nonlinear programming algorithm for solving semidefinite programs via low-rank
factorization. Mathematical Programming 95 (2003) 329–357.
P.-W. Wang, W.-C. Chang, J. Z. Kolter: The mixing method: low-rank coordinate descent for semidefinite
programming with diagonal constraints. arXiv:1706.00476 (2017).
S. M. Rump: Verification of positive definiteness. BIT Numerical Mathematics 46 (2006) 433–452.
N. J. Higham: Accuracy and Stability of Numerical Algorithms, 2nd ed., SIAM (2002), Section 10.1.1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from scipy import linalg, sparse

from cem.families.base import Array, Floats, Index, Mask
from problems.maxcut.edges import check_edges, check_size, check_weights, merge
from problems.maxcut.search.colouring import greedy_colouring
from problems.maxcut.search.graph import gain_step

Matrix: TypeAlias = "sparse.csr_array[np.float64, tuple[int, int]]"

MOST_CORE = 16_000  # vertices left to the dense factorisation: 2 GB
DENSE = 0.05  # share of non-zeros from which dense arithmetic is faster
MOST_GROUPS = 128
MOST_RANK = 96
WORK = 2e10  # spent on the relaxation: 10 to 20 s
PASSES = (50, 3200)
TOLERANCE = 5e-6  # of the bound
LANCZOS_STEPS = 500
ATTEMPTS = 10
_UNIT = 2.0**-53  # rounding error of one operation


def upper_bound(n: int, edges: ArrayLike, weights: ArrayLike) -> float:
    """Bound the maximum cut of a graph from above.

    The bound is that of Goemans and Williamson to four digits or more, or the sum of the positive weights
    where that is less. It is valid by construction: no cut is worth more, rounding included. What is
    certified, and how, is said under Notes.

    Parameters
    ----------
    n : int
        The number of vertices, ``0 … n-1``.
    edges : array_like of int, shape (m, 2)
        The end points of each edge. Parallel edges add up.
    weights : array_like of float, shape (m,)
        The edges' weights, finite, of any sign.

    Returns
    -------
    float
        The bound. Where all weights are whole numbers, a value that a cut can have: the bound is rounded down
        to a multiple of what all cut values are multiples of.

    Raises
    ------
    TypeError, ValueError
        If this is not a graph: see `MaxCut`.

    Notes
    -----
    *Certified* is that ``W + Diag(z)`` is positive semidefinite. Vertices of low degree are eliminated, and
    bounds on the rounding errors of that are taken off the diagonal of what remains; the dense rest, less a
    bound on the rounding errors of its Cholesky factorisation, then must have one: see `is_semidefinite`.
    This supposes IEEE double precision, and a Cholesky factorisation that sums products, in whatever order.
    A Lanczos estimate tells only how much to raise `z` at first. It errs to the unsafe side: where the
    certificate refutes it, `z` is raised further.

    All other sums are rounded correctly (`math.fsum`), and where weights are not whole numbers
    ``(m + n)·2**-52`` of the sum of their magnitudes is added: a cut value computed in floating point stays
    below the bound too. Without positive weights it is 0, exactly.

    Where the elimination would leave more than 16,000 vertices (random graphs of more than some 20,000 to
    50,000), nothing cheap can be certified, and the bound is the sum of the positive weights.

    Above the best cuts known of the Gset graphs it is 3–7 % where weights are 1, and 11–19 % where they are
    ±1 on sparse graphs: the relaxation's own gap, not lost digits. The same graph has the same bound, up to
    the machine's arithmetic.

    Examples
    --------
    >>> upper_bound(5, [(0, 1), (1, 2), (2, 3), (3, 4), (4, 0)], [1, 1, 1, 1, 1])
    4.0
    """
    n = check_size(n)
    pairs = check_edges(n, edges)
    pairs, numbers = merge(n, pairs, check_weights(len(pairs), weights))
    if not (numbers > 0).any():
        return 0.0
    scale = 2.0 ** min(math.frexp(float(np.abs(numbers).max()))[1], 1023)
    numbers = numbers / scale  # exact, by a power of two, so that no square overflows
    used, ends = np.unique(pairs, return_inverse=True)  # isolated vertices are in no cut's value
    first, second = ends.reshape(pairs.shape).T
    graph = _symmetric(len(used), first, second, numbers)
    positive = math.fsum(numbers[numbers > 0])
    step = _step(graph, scale)
    bound = min(positive, _semidefinite_bound(graph, numbers, positive, step))
    if step:
        return math.floor(bound / step) * step * scale
    return (bound + (len(numbers) + n) * 2 * _UNIT * math.fsum(np.abs(numbers))) * scale


def _symmetric(n: int, first: Array, second: Array, weights: Floats) -> Matrix:
    """Return the weight matrix with each edge at both of its ends, its rows sorted."""
    rows, columns = np.concatenate((first, second)), np.concatenate((second, first))
    return sparse.csr_array((np.concatenate((weights, weights)), (rows, columns)), shape=(n, n))


def _step(graph: Matrix, scale: float) -> float:
    """Return the number of which all cut values are multiples, 0 where there is none that is of use."""
    weights = graph.data * scale
    if np.abs(weights).sum() >= 2**53 or (weights != np.floor(weights)).any():
        return 0.0
    return gain_step(weights.astype(np.int64), graph.indptr) / scale


def _semidefinite_bound(graph: Matrix, weights: Floats, positive: float, step: float) -> float:
    """Return ``sum(w)/2 + sum(z)/4`` for a certified `z`, infinity where none could be."""
    n = graph.shape[0]
    if n > MOST_CORE and not _within_reach(graph):
        return math.inf
    half = math.fsum(weights) / 2
    z, least = _relaxed(graph, half, positive, step)
    slack = TOLERANCE * (2 * (half + float(z.sum()) / 4) / n + float(z.max())) + max(0.0, -least) / 4
    for _ in range(ATTEMPTS):
        raised = z + (max(0.0, -least) + slack)
        if is_semidefinite(_with_diagonal(graph, raised)):
            return math.nextafter(half + math.nextafter(math.fsum(raised) / 4, math.inf), math.inf)
        slack *= 4
    return math.inf


# --- looking for a good dual point ------------------------------------------------------------------------


def _relaxed(graph: Matrix, half: float, positive: float, step: float) -> tuple[Floats, float]:
    """Solve the relaxation by the mixing method; give a diagonal and an estimate of the least eigenvalue.

    Each vertex has a unit vector v_i, and they minimise ``sum(w_ij v_i·v_j)``. The vertex's best answer to
    the others is ``-g_i/|g_i|`` with ``g_i = sum(w_ij v_j)``; where all have given it, ``z_i = |g_i|`` is the
    dual solution. Vertices of one colour answer at the same time; where there are many colours, several are
    taken together, and a vertex holds on to its vector by as much as it could be pulled by its own group
    (so the sum still never grows).
    """
    groups = _Groups.of(graph)
    n = graph.shape[0]
    rank = min(
        math.ceil(0.4 * math.sqrt(2 * n)) + 8, MOST_RANK
    )  # of a solution: at most sqrt(2n), often less
    rng = np.random.default_rng(20_24)
    vectors = rng.standard_normal((n, rank))
    vectors /= np.linalg.norm(vectors, axis=1)[:, None]
    passes, total = PASSES[0], 0
    entries = 0.2 * n * n if isinstance(groups.matrix, np.ndarray) else graph.nnz
    most = min(PASSES[1], max(PASSES[0], int(WORK / (rank * (entries + 20 * n)))))
    best = math.inf, np.zeros(n), 0.0
    while True:
        for _ in range(passes):
            groups.answer(vectors)
        total += passes
        pull = groups.matrix @ vectors
        z = np.linalg.norm(pull, axis=1)
        least = least_eigenvalue(groups.matrix, z, rng)
        lower = half - float(np.einsum("ij,ij->", pull, vectors)) / 4
        upper = half + (float(z.sum()) - n * min(least, 0.0)) / 4
        best = min(best, (upper, z, least), key=lambda each: each[0])
        if total >= most or _settled(lower, min(best[0], positive), step):
            break
        passes = total
    z = np.empty(n)
    z[groups.order] = best[1]
    return z, best[2]


def _settled(lower: float, upper: float, step: float) -> bool:
    """Whether more passes cannot make the bound (much) better, with `lower` the relaxation's value."""
    if step and math.floor(lower / step) == math.floor(upper / step):
        return upper / step % 1 < 0.99  # leave room for the certificate's slack
    return upper - lower <= TOLERANCE * upper


@dataclass(frozen=True, eq=False)
class _Groups:
    """Vertices in groups that are updated together; all arrays are in the order of the groups."""

    order: Index
    matrix: Any
    parts: list[tuple[slice, Any, Floats]]

    @classmethod
    def of(cls, graph: Matrix) -> _Groups:
        n = graph.shape[0]
        colour = greedy_colouring(graph.indptr, graph.indices)
        colours = int(colour.max()) + 1
        group = colour * MOST_GROUPS // colours if colours > MOST_GROUPS else colour
        order = np.argsort(group, kind="stable")
        matrix = graph[order][:, order].tocsr()
        inside = sparse.coo_array(matrix)
        same = group[order][inside.row] == group[order][inside.col]
        hold = np.bincount(inside.row[same], np.abs(inside.data[same]), n).astype(np.float64)[:, None]
        ends = np.cumsum(np.bincount(group)).tolist()
        chosen = matrix.toarray() if graph.nnz > DENSE * n * n else matrix
        places = [slice(start, end) for start, end in zip([0, *ends[:-1]], ends, strict=True)]
        return cls(order, chosen, [(place, chosen[place], hold[place]) for place in places])

    def answer(self, vectors: Floats) -> None:
        """Let each group in turn answer to the others, in place."""
        for place, rows, hold in self.parts:
            answer = hold * vectors[place] - rows @ vectors
            length = np.linalg.norm(answer, axis=1)[:, None]
            np.divide(answer, length, out=vectors[place], where=length > 0)


def least_eigenvalue(matrix: Any, z: Floats, rng: np.random.Generator) -> float:
    """Estimate the least eigenvalue of ``matrix + Diag(z)`` from above, by Lanczos steps.

    (Without reorthogonalisation: converged eigenvalues come in several copies, but they are right.)
    """
    q = rng.standard_normal(len(z))
    q /= np.linalg.norm(q)
    before, beta = np.zeros(len(z)), 0.0
    diagonal: list[float] = []
    beside: list[float] = []
    for _ in range(min(LANCZOS_STEPS, 2 * len(z))):
        r = matrix @ q + z * q - beta * before
        diagonal.append(float(q @ r))
        r -= diagonal[-1] * q
        beta = float(np.linalg.norm(r))
        beside.append(beta)
        if beta <= 1e-12 * (1 + z.max()):
            break
        before, q = q, r / beta
    values = linalg.eigvalsh_tridiagonal(
        np.array(diagonal), np.array(beside[:-1]), select="i", select_range=(0, 0)
    )
    return float(values[0])


# --- proving that it is one -------------------------------------------------------------------------------


def is_semidefinite(matrix: Matrix) -> bool:
    """Prove that a symmetric matrix is positive semidefinite.

    Parameters
    ----------
    matrix : csr_array, shape (n, n)
        Exactly symmetric, without duplicate entries, its largest entry within a factor of 1e100 of 1.

    Returns
    -------
    bool
        True: it is, rounding errors accounted for. False: it is not, or it nearly is not, or more than 16,000
        rows would be left to the dense factorisation.

    Notes
    -----
    Eliminating rows `S` leaves the Schur complement ``C - B D⁻¹ B'`` (`D` is diagonal, as no two rows of `S`
    touch); the matrix is semidefinite if `D` is positive and the complement semidefinite. Each entry is
    computed with at most `k` products and an error of at most ``(k + 4)u (|C| + |B| D⁻¹ |B'|)``, `u` =
    2**-53; twice the row sums of these are taken off its diagonal. For the dense rest `A` of `n` rows, a
    floating-point Cholesky factorisation that runs to its end proves that the least eigenvalue is above
    ``-(n + 1)u/(1 - 2(n + 1)u) trace(A)`` (Higham, Section 10.1.1; Rump, Section 2); four times as
    much is taken off the diagonal beforehand.
    """
    rest = _eliminated(matrix)
    if rest is None or rest.shape[0] > MOST_CORE:
        return False
    diagonal = rest.diagonal()
    if (diagonal <= 0).any():
        return False
    n = len(diagonal)
    dense = rest.toarray(order="F")
    dense[np.diag_indices(n)] = diagonal - 4 * (n + 4) * _UNIT * float(diagonal.sum())
    try:
        linalg.cholesky(dense, lower=True, overwrite_a=True, check_finite=False)
    except linalg.LinAlgError:
        return False
    return True


def _within_reach(graph: Matrix) -> bool:
    """Whether elimination leaves few enough vertices, on a diagonal for which it cannot fail."""
    rest = _eliminated(_with_diagonal(graph, 1.0 + 2.0 * np.asarray(abs(graph).sum(axis=1)).ravel()))
    return rest is not None and rest.shape[0] <= MOST_CORE


def _with_diagonal(graph: Matrix, z: Floats) -> Matrix:
    return (graph + sparse.diags_array(z)).tocsr()


def _eliminated(matrix: Matrix) -> Matrix | None:
    """Eliminate independent sets of low degree until the rest is dense; None where a pivot is not positive.

    What is left is semidefinite only if the matrix is. Ends early, too, where too much will be left.
    """
    rng = np.random.default_rng(20_24)
    while (n := matrix.shape[0]) > 300 and matrix.nnz <= DENSE * min(n, MOST_CORE) ** 2:
        diagonal = matrix.diagonal()
        if (diagonal <= 0).any():
            return None
        chosen = _independent_low_degree(matrix, rng)
        gone, rest = np.flatnonzero(chosen), np.flatnonzero(~chosen)
        pivots = diagonal[gone]
        kept = matrix[rest]
        matrix, beside = kept[:, rest].tocsr(), kept[:, gone].tocsr()
        scaled = (beside @ sparse.diags_array(1 / pivots)).tocsr()
        terms = int(np.diff(beside.indptr).max(initial=0))
        sizes: Floats = np.asarray(abs(matrix).sum(axis=1)).ravel()
        sizes += abs(scaled) @ np.asarray(abs(beside).sum(axis=0)).ravel()
        lower = sparse.tril(matrix - scaled @ beside.T.tocsr(), k=-1)
        diagonal = matrix.diagonal() - scaled.multiply(beside).sum(axis=1)
        matrix = _with_diagonal((lower + lower.T).tocsr(), diagonal - 2 * (terms + 6) * _UNIT * sizes)
    return matrix


def _independent_low_degree(matrix: Matrix, rng: np.random.Generator) -> Mask:
    """Mark vertices that come before all of their neighbours in a random order by degree.

    References
    ----------
    M. Luby: A simple parallel algorithm for the maximal independent set problem. SIAM Journal on Computing
    15 (1986) 1036–1053.
    """
    degrees = np.diff(matrix.indptr)
    order = np.lexsort((rng.random(len(degrees)), degrees))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    first = np.minimum.reduceat(rank[matrix.indices], matrix.indptr[:-1]) == rank
    return np.asarray(first & (degrees <= np.quantile(degrees, 0.3)))
