"""The settings of the improved method, each with its source.

"Ingredients" names a row of the table that ``python scripts/benchmarks/rare_event/ingredients.py`` prints
(docs/rare_events.md): what the method loses without it. "Tuning cases" are those of
``scripts/benchmarks/rare_event/tuning.py``, on which the values that no derivation gives were chosen; the
cases of ``scripts/benchmarks/rare_event/compare.py`` were kept apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cem.families.base import Floats

STRUCTURES = ("full", "sparse", "one_large", "along", "low_rank", "isotropic", "bins", "factor_steps")


@dataclass(frozen=True)
class Settings:
    """What the improved method's plan, fits and doubts are set to."""

    # --- plan ---------------------------------------------------------------------------------------------
    chains: int = 2
    """Independent chains ("the second chain" of the ingredients: without it squared errors times calls
    are 1.2 times as large)."""
    most_dimensions_for_chains: int = 60
    """Beyond, one chain: a second one costs 1,200 to 3,000 rows per batch."""
    frequent: float = 0.1
    """Nominal probability from which plain draws are best: a tenth of them hit, cv .05 takes 3,600."""
    most_errors: float = 4.0
    """Standard errors that chains may differ by: a normal does once in 16,000."""
    least_factor: float = 1.25
    """Factor that chains may always differ by: estimates from pools err by 2 to 8 % more than they show."""

    # --- batches ------------------------------------------------------------------------------------------
    batches: tuple[tuple[int, int], ...] = ((5, 300), (12, 400), (30, 1000))
    """Rows per batch up to so many dimensions (docs/notes.md: 8,000 calls in the median → 6,400)."""
    rows_per_dimension: int = 20
    """Rows per batch and dimension beyond these: a fit of mean and spread needs some ten rows each."""
    batch_limits: tuple[int, int] = (1000, 3000)
    """Least and most rows per batch there."""
    window: int = 4
    """Latest batches in a chain's pool ("pooling of four batches": with one, squared errors are 1.7
    times as large)."""
    small: int = 12
    """Dimensions up to which full covariances are fitted and the score needs no slope."""
    middle: int = 30
    """Dimensions up to which `delta[0]` holds."""
    delta: tuple[float, float] = (2.5, 2.0)
    """Coefficient of variation of indicator over soft indicator at which learning stops, up to `middle` and
    beyond. Papaioannou, Geyer & Straub (2019) take 1.5; larger on tuning cases: the final refit is pooled."""
    wanted: tuple[float, float] = (2.0, 1.0)
    """Effective rows that a tilt keeps, in units of a batch over 1 + delta², up to `small` and beyond: as
    many as a batch from a proposal with that coefficient of variation has."""

    # --- learning -----------------------------------------------------------------------------------------
    levels: int = 40
    """Most batches of a chain: networks, which take the most, take 6 to 13 (docs/notes.md)."""
    wide_share: float = 0.05
    """Wide part of a proposal while learning ("the wide part")."""
    heats: tuple[float, ...] = (0.2, 0.0, -0.5, -1.0)
    """Powers of the nominal mass while nothing is hit: flatter, uniform, then turned about."""
    sharpness: tuple[float, float] = (1e-4, 1e3)
    """Bounds of the soft indicator's σ, in normal distances: one is an indicator, the other constant."""
    few_effective: int = 5
    """Effective rows below which nothing is fitted."""
    few_hits: int = 20
    """Hits of a batch below which its coefficient of variation means nothing (its error is a sixth)."""
    patience: int = 5
    """Batches without a better score or a sharper tilt after which a chain ends."""
    progress: float = 0.95
    """Factor below which a sharpness counts as better."""
    distance: Callable[[Floats, float, Floats], Floats] | None = None
    """How far scores are from the level, of scores, level and log weights. None: by normal ranks ("ranks in
    place of scores": without, squared errors are twice as large, the claims of Pareto sums 10,000 times)."""

    # --- the final proposal and its measurement -----------------------------------------------------------
    normal_rates: tuple[float, ...] = (0.60, 0.30, 0.06, 0.04)
    """Fit, inflated fit, wide part, nominal in normal space ("the inflated copy", "the wide part", "the
    nominal part": insurance; without a wide part coverage .87 and runs 30 % off in prototypes)."""
    discrete_rates: tuple[float, ...] = (0.40, 0.45, 0.12, 0.03)
    """The same for bits and labels (docs/notes.md: dodecahedron 0.06 leans 1.9 % → 1.4 %)."""
    path_rates: tuple[float, ...] = (0.55, 0.25, 0.10, 0.10)
    """The same for paths (tuning cases)."""
    own_rates: tuple[float, ...] = (0.55, 0.27, 0.08, 0.10)
    """The same for users' own families, whose tails need not be normal."""
    extra_share: float = 0.15
    """Share of all further parts: modes, repairs (tuning cases)."""
    refits: int = 4
    """Measurements that doubt may add ("refits": 8 % of the runs are flagged without)."""
    too_poor: float = 1.0
    """Rows, in units of what learning took, that a proposal may need before it is refitted."""
    most_batches: float = 100.0
    """Batches that a measurement may take at a coefficient of variation of `usual_cv`."""
    most_rounds: int = 4
    """Rounds of drawing what the variance so far asks for, until refits are used up."""
    most_growth: float = 10.0
    """Factor by which a round may multiply the rows: a first variance is uncertain."""
    most_measured: int = 100_000
    """Rows of measurements, the newest, that fits and the second look see: their time is linear in them."""
    cushion: float = 1.1
    """Factor on the rows asked for: the variance is itself uncertain by a few per cent."""
    usual_cv: float = 0.05
    """Target by which proposals are judged: the default of `estimate_probability`."""
    most_times: float = 9.0
    """Measure as long as learning took, but at most this many times the need: an error of a third of the
    target ("measuring as long as learning": squared errors 2.6 times as large without)."""

    # --- doubts -------------------------------------------------------------------------------------------
    most_shape: float = 0.6
    """Pareto shape of the largest weights: Vehtari et al. (2024) trust up to .7 ("doubt about heavy
    tails")."""
    least_share: float = 0.01
    """Share of the estimate below which the heaviest hit's shape is harmless."""
    most_lopsided: float = 0.3
    """Skewness over √draws: there Hall's correction, skewness (2 z² + 1)/(6 √draws), moves the ends of a 95 %
    interval by a fifth of its half-width ("doubt about lopsided weights")."""
    far: float = 10.0
    """Ratio of the event's density to the proposal's from which a hit lies where the proposal hardly goes."""
    most_far: float = 0.02
    """Share of the event that may lie there ("the second look")."""
    most_ratio: float = 1.6
    """Second moment that earlier hits show, over the one seen, from which something was overlooked."""
    least_error: float = 0.015
    """Relative standard error added in quadrature to every interval ("the resolution": coverage .985 → 1)."""

    # --- the look from outside ----------------------------------------------------------------------------
    looks: int = 2
    """Most looks that may find something (scripts/benchmarks/rare_event/outside.py, as all of these)."""
    walkers: int = 30
    """Hits from outside that walk inwards."""
    steps: int = 24
    """Moves of each, the first half of them also inwards."""
    least_excess_share: float = 0.02
    """Share of the proposal's own hits that have less excess than a settled walker."""
    least_density_share: float = 0.05
    """Share of them that have less nominal density than a settled walker."""
    clones: int = 60
    """Walkers that spread from the ends that were not covered: a fit needs some ten rows a parameter."""
    clone_rate: float = 0.3
    """Rate that their moves begin with: they stand in the event's bulk already."""
    clone_steps: tuple[tuple[float, int], ...] = ((12, 16), (30, 20), (float("inf"), 36))
    """Moves of each up to so many dimensions (12 everywhere: 4 of 9 claims right in place of 6)."""
    clone_turns: int = 2
    """Fits about the same walkers, the second one where the first one's pilot missed the event."""
    part_rates: tuple[float, ...] = (0.6, 0.4)
    """Fit and its inflated copy in a part that is found."""
    pilot: tuple[int, int] = (200, 400)
    """Rows of a pilot, up to `small` dimensions and beyond."""
    least_missed: float = 0.01
    """Share of the probability below which what was found is left: two thirds of `least_error`."""
    common: float = 0.05
    """Share of a pilot that is missed by the proposal, from which the pilot is believed."""
    rescues: int = 3
    """Rescues of one measurement in doubt, until a look finds something."""
    poorly: float = 3.0
    """Ratio of the event's density to the proposal's from which a rescue starts."""
    most_parts: int = 3
    """Latest parts found that stay in the final proposal."""
    scaled: tuple[float, ...] = (2.0, 2.5, 3.0, 4.0)
    """Standard deviations of scaled normals among the points outside."""
    own_scaled: tuple[float, ...] = (1.5, 2.0, 3.0, 5.0)
    """Factors on the spread of users' own families among the points outside."""
    scaled_rows: tuple[tuple[float, int], ...] = ((12, 40), (30, 60), (float("inf"), 100))
    """Rows of each, up to so many dimensions."""
    most_large: int = 200
    """Most rows with one large coordinate of a kind: above, a row has several."""
    least_large: int = 8
    """Fewest of them."""
    sparse_rows: int = 60
    """Rows with a few large coordinates."""
    tilted_rows: int = 240
    """Rows of bits or labels, a subset of which is tilted."""
    bit_tilts: tuple[float, ...] = (0.03, 0.1, 0.25, 0.75, 0.9, 0.97)
    """Probabilities that tilted bits are given."""
    label_tilts: tuple[float, ...] = (0.75, 0.9, 0.97)
    """Probabilities with which tilted positions take the one label."""
    path_tilts: tuple[float, ...] = (0.7, 1.5)
    """Logarithms of the factors by which one move is made likelier among the paths outside."""
    path_rows: int = 60
    """Paths of each."""
    checked: float = 1e-3
    """Probability from which paths, which do not walk, are checked by nominal ones."""
    plain_hits: float = 12.0
    """Hits expected of them: a quarter of the probability that is missed is seen in 97 of 100 runs."""

    # --- the performance's own noise ----------------------------------------------------------------------
    noise_hits: float = 10.0
    """Hits expected of the nominal draws from which noise is resolved: an error of a third."""
    most_nominal: float = 200_000.0
    """Most nominal draws that are taken for that: a fifth of the default budget."""

    # --- which fit: structures and components -------------------------------------------------------------
    directions: bool = True
    """Whether fits beyond `small` dimensions know the score's slope ("the gradient's direction")."""
    most_rows: int = 3000
    """Heaviest rows that a choice by held-out cross-entropy looks at: its time is linear in them."""
    worse: float = 0.05
    """Nats by which more components may predict worse before no more are tried."""
    structures: tuple[str, ...] = STRUCTURES
    """Structures in normal space, each a row of the ingredients."""
    full_components: tuple[int, ...] = (1, 2, 3, 4, 6, 8)
    """Numbers of components tried with full covariances ("several components")."""
    sparse_components: tuple[int, ...] = (1, 2, 4, 8, 12, 16)
    """With sparse diagonals, up to `small` dimensions: a design point per coordinate and sign."""
    many_components: tuple[tuple[int, tuple[int, ...]], ...] = ((60, (1, 4, 10, 16)), (200, (1, 4)))
    """With sparse diagonals beyond, up to so many dimensions; then one."""
    low_rank_components: tuple[int, ...] = (1, 2)
    """With low rank, up to the last of these dimensions; then one."""
    full_beyond: tuple[int, tuple[int, ...]] = (35, (1, 2, 4))
    """Dimensions up to which full covariances are still tried beyond `small`, and their components."""
    bin_priors: tuple[float, ...] = (np.inf, 20.0)
    """Rows of all coordinates by which marginals in bins shrink; infinitely many: all are alike."""
    discrete_components: tuple[int, ...] = (1, 2, 3, 4, 6, 8, 12, 16, 24)
    """Of bits and labels: minimal cuts of networks come in dozens (tuning cases)."""

    # --- normal space -------------------------------------------------------------------------------------
    least_heat: float = 0.01
    """A normal to a power of no more than zero has no density: standard deviations up to ten."""
    wideness: float = 2.5
    """Standard deviations of the wide part are 1 + this/√d: its radius, √d + 2.5, reaches the same number of
    standard deviations of the radius (some .7) in any dimension."""
    inflation: float = 1.0
    """An inflated copy has standard deviations 1 + this/√d times as large: its log density changes by a
    constant in any dimension."""
    ridge: float = 1e-3
    """Ridge of the score's regression, per row: makes it solvable with fewer rows than inputs."""
    least_std: float = 1e-4
    """Least standard deviation of a fit: events thinner than this are measured by their inflated copy."""
    prior: float = 0.1
    """Pseudo-rows of unit spread in every variance."""
    gain: float = 1e-3
    """Mean log-likelihood in nats per row below which EM ends: far below the noise of held-out rows."""
    rounds: int = 20
    """Most rounds of EM."""
    seeding_trials: int = 4
    """Tries per seed of greedy k-means++ (Arthur & Vassilvitskii 2007 suggest 2 + ln k)."""
    other_axes: int = 3
    """Axes of low rank beside the score's direction (tuning cases)."""
    clear_of_edge: float = 1.2
    """Factor over Marchenko and Pastur's edge from which an axis is no noise."""

    # --- factors, and one large coordinate ----------------------------------------------------------------
    most_factors: int = 3
    """Inputs that may be common factors: one to three in models of portfolios."""
    stands_out: float = 3.0
    """Factor by which their slopes exceed the next ones."""
    factor_rows: int = 1000
    """Heaviest rows on which slopes are refined."""
    turns: tuple[tuple[float, ...], ...] = ((0.6, 0.8, 1.25, 1.6), (0.9, 1.1))
    """Factors by which slopes are multiplied in search of the clearest steps: coarse, then fine."""
    fewest: float = 0.02
    """Share of the weight that a sign needs to get components of its own."""
    always_one_large: int = 60
    """Dimensions up to which one large coordinate is tried unasked: it costs little (docs/rare_events.md)."""
    least_excess: float = 0.2
    """Excess of the largest coordinate over that of normals, from which it stands out."""

    # --- bits and labels ----------------------------------------------------------------------------------
    coldness: float = 0.5
    """Power of the nominal mass in the wide part of bits, labels and paths."""
    flatness: float = 0.7
    """Power of the fitted mass in the inflated copy of bits and labels."""
    mode_starts: int = 60
    """Hits brought down to minimal ones ("minimal hits"); none: no modes are sought."""
    mode_rates: tuple[float, float] = (0.9, 0.1)
    """Shares of modes and wide part in the batch that is drawn about them."""
    most_points: int = 200
    """Likeliest minimal hits that get a component."""
    held: float = 0.9
    """Probability with which such a component holds its unlikely values."""
    discrete_prior: float = 0.5
    """Pseudo-rows at the nominal in every fitted probability (tuning cases)."""
    discrete_rounds: int = 30
    """Most rounds of EM."""

    # --- paths --------------------------------------------------------------------------------------------
    most_path_dimensions: int = 30
    """Most dimensions that a path counts for: many classes of states are visited little and shrink."""
    path_priors: tuple[float, ...] = (0.5, 5.0, 50.0)
    """Pseudo-moves per class tried beside infinitely many."""
    path_chains: tuple[int, ...] = (2, 3)
    """Numbers of chains in a mixture, tried beside one: an event may have several exits."""
    least_move: float = 1e-6
    """Least probability of a possible move in a fit."""
    path_inflation: float = 0.2
    """Part of the way back to the nominal, in logarithms, of the inflated copy."""


DEFAULT = Settings()
