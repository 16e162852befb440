"""Numbers and labels together: what either part learns, and what a search of both claims."""

from dataclasses import replace

import numpy as np
import pytest

import cem
from cem.core.loop import Batch, State
from cem.plans.integers import IntegerMargin
from cem.plans.mixed_space import LABELS, NUMBERS, MixedAdaptation
from cem.updates import PathAdaptation, label_adaptation


def batch(x, scores):
    return Batch(
        np.asarray(x, dtype=float), np.asarray(scores, dtype=float), lambda: np.random.default_rng(0)
    )


# --- labels -----------------------------------------------------------------------------------------


def test_a_step_has_length_one_along_the_natural_gradient():
    """By hand: two labels, the natural gradient of the weighted log likelihood is weight less probability."""
    family, memory = label_adaptation.begin(cem.Categorical([[0.5, 0.5], [0.5, 0.5]]))
    labels, weights = np.array([[0, 1], [1, 1]]), np.array([0.75, 0.25])
    moved, _ = label_adaptation.move(family, memory, labels, weights, None)
    gradient = np.array([0.75, 0.0]) - 0.5
    metric = gradient / 0.5  # the root of the Fisher information 1 / (q (1 - q))
    expected = 0.5 + gradient / np.linalg.norm(metric)
    floors = label_adaptation.floors(np.array([2, 2]))
    np.testing.assert_allclose(moved.probabilities[:, 0], np.clip(expected, floors, 1 - floors), rtol=1e-12)


def test_no_label_falls_below_its_floor():
    tables = cem.Categorical([[1 / 3] * 3, [0.5, 0.5], [1.0]])
    family, memory = label_adaptation.begin(tables)
    for _ in range(100):
        family, memory = label_adaptation.move(family, memory, np.zeros((4, 3), int), np.full(4, 0.25), None)
    floors = label_adaptation.floors(np.array([3, 2, 1]))
    np.testing.assert_allclose(floors, [(1 - 0.73 ** (1 / 3)) / 2, 1 - 0.73 ** (1 / 3), 0])
    np.testing.assert_allclose(family.probabilities[:2, 1], floors[:2], rtol=1e-9)
    np.testing.assert_allclose(family.probabilities.sum(axis=1), 1, rtol=1e-12)
    assert family.probabilities[2].tolist() == [1, 0, 0]


def test_labels_without_a_say_teach_nothing():
    family, memory = label_adaptation.begin(cem.Categorical([[0.5, 0.5]] * 2))
    active = np.array([[True, False]] * 3)
    moved, _ = label_adaptation.move(family, memory, np.zeros((3, 2), int), np.full(3, 1 / 3), active)
    assert moved.probabilities[0, 0] > 0.5
    np.testing.assert_allclose(moved.probabilities[1], [0.5, 0.5], rtol=1e-12)


def test_random_ranks_slow_the_steps_down():
    rng = np.random.default_rng(1)
    family, memory = label_adaptation.begin(cem.Categorical([[0.25] * 4] * 5))
    for _ in range(300):
        labels = family.sample(8, rng)
        family, memory = label_adaptation.move(
            family, memory, labels, np.r_[0.5, 0.3, 0.2, np.zeros(5)], None
        )
    random = memory["label_rate"][1]
    for _ in range(300):
        labels = family.sample(8, rng)
        labels = labels[np.argsort(labels.sum(axis=1), kind="stable")]
        family, memory = label_adaptation.move(
            family, memory, labels, np.r_[0.5, 0.3, 0.2, np.zeros(5)], None
        )
    assert random > 2 * memory["label_rate"][1]


# --- one distribution over all of it ----------------------------------------------------------------

SPACE = cem.Space(
    a=cem.Real(-5, 5),
    k=cem.Choice({"u": cem.Space(b=cem.Real(-5, 5)), "v": None}),
    n=cem.Integer(1, 512, log=True),
)


def run(scores, steps, rng):
    """Adapt for some steps to ``scores(rows)``; return the last state."""
    layout = SPACE.layout
    update = MixedAdaptation(layout)
    state = update.init(SPACE.start())
    for _ in range(steps):
        x = state.family.sample(10, rng)
        after = update.step(state, batch(x, scores(SPACE.present(x))))
        state = replace(after, iteration=state.iteration + 1)
    return state


def test_both_parts_learn_together():
    state = run(lambda x: -((x[:, 0] - 2) ** 2) - (x[:, 1] == 1), 60, np.random.default_rng(1))
    family = state.family
    assert abs(family[NUMBERS].mean[0] - 2) < 0.1
    assert family[LABELS].probabilities[0, 0] >= 0.73


def test_numbers_without_a_say_drift_no_further_than_others():
    """`b` counts only behind "u"; where "v" wins, it neither moves nor changes its spread."""
    means, spreads = [], []
    start = SPACE.start()[NUMBERS].std[1]
    for seed in range(20):
        layout = SPACE.layout
        update = MixedAdaptation(layout)
        state = update.init(SPACE.start())
        rng = np.random.default_rng(seed)
        x = np.array(state.family.sample(10, rng))
        x[:, 1] = 1  # all "v"
        family = update.step(state, batch(x, -((x[:, 0] - 2) ** 2))).family
        means.append(family[NUMBERS].mean[1])
        spreads.append(family[NUMBERS].std[1] / family[NUMBERS].std[0])
    np.testing.assert_allclose(means, 0, atol=1e-9)
    assert 0.5 < np.median(spreads) < 2
    assert start == pytest.approx(3)


def test_the_margin_of_a_logarithm_reaches_the_next_whole_number():
    """At every value, half of α or more is left for each neighbour, however wide its step is."""
    from scipy.special import ndtr

    layout = SPACE.layout
    domain, log = layout.number_domain, layout.logarithmic[layout.numbers]
    margin = IntegerMargin(PathAdaptation(), domain, log)
    for value in (1, 2, 17, 300, 512):
        mean, std = np.array([0.0, 0.0, np.log(value)]), np.array([1e-9] * 3)
        mean, std = margin.with_margin(mean, std, 0.1)
        up, down = ((np.log(value + s) - mean[2]) / std[2] for s in (0.5, -0.5))
        at_end = value in (1, 512)
        reached = [] if value == 512 else [1 - ndtr(up)]
        reached += [] if value == 1 else [ndtr(down)]
        assert min(reached) >= (0.1 if at_end else 0.05) * (1 - 1e-6)
        assert std[:2].tolist() == [1e-9, 1e-9]


def test_nothing_is_learnt_from_scores_that_do_not_rank():
    update = MixedAdaptation(SPACE.layout)
    state: State = update.init(SPACE.start())
    x = state.family.sample(6, np.random.default_rng(0))
    after = update.step(state, batch(x, np.full(6, np.nan)))
    assert after.family is state.family
    assert after.elites == 0


# --- searches ---------------------------------------------------------------------------------------

MIXED = cem.Space(
    x=cem.Real(-5, 5), y=cem.Real(-5, 5), n=cem.Integer(-10, 10), k=cem.Choice("abcd"[i] for i in range(4))
)


def bowl(p):
    return (p["x"] - 1.3) ** 2 + 30 * (p["y"] + 2) ** 2 + (p["n"] - 3) ** 2 + (p["k"] != "c")


@pytest.mark.parametrize("seed", range(3))
def test_a_claim_rests_on_descents_from_all_over(seed):
    r = cem.optimize(bowl, MIXED, rng=seed)
    assert r.status is cem.Status.CONVERGED
    assert "100 descents from all over the region found nothing better (1 minimum known)" in r.message
    assert "more than 3.0 % of such descents" in r.message
    assert (r.x["n"], r.x["k"]) == (3, "c")
    assert r.fun < 1e-12
    assert r.looks >= 100
    assert r.minima == [(r.x, r.fun)]


def test_without_descents_runs_agree():
    r = cem.optimize(bowl, MIXED, polish=False, rng=1)
    assert r.success
    assert "3 of 3 independent runs" in r.message
    assert "no descents have looked elsewhere" in r.message


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_narrower_basin_far_off_is_met(seed):
    """A few in a hundred descents lead to it; the first one, the first runs and small ones do not."""

    def hollows(X):
        wide, narrow = ((X - 1) ** 2).sum(axis=1), ((X - [7, -7, 7, -7]) ** 2).sum(axis=1)
        return np.minimum(wide + 5, 4 * narrow)

    r = cem.optimize(
        hollows,
        bounds=[(-10, 10)] * 4,
        integrality=[1, 1, 0, 0],
        vectorized=True,
        rng=seed,
        max_evaluations=4000,
    )
    assert r.fun < 1e-9
    assert len(r.minima) > 1


def test_a_run_about_what_descents_have_found_confirms_it():
    """No run from the middle ends in the narrow valley."""

    def fun(x):
        narrow = 9 * ((x - [6, -6.5]) ** 2).sum(axis=1)
        return np.minimum(narrow, (x**2).sum(axis=1) + 1)

    r = cem.optimize(
        fun, bounds=[(-10, 10)] * 2, integrality=[1, 0], vectorized=True, max_evaluations=5000, rng=1
    )
    assert r.success, r.message
    assert r.fun < 1e-9


def test_short_runs_look_elsewhere_where_descents_go_nowhere():
    """On plateaus of reals each descent ends where it begins."""

    def fun(x):
        better = 4 * ((x - [5, -5.5]) ** 2).sum(axis=1)
        return np.floor(np.minimum(better, (x**2).sum(axis=1) + 3))

    r = cem.optimize(
        fun, bounds=[(-10, 10)] * 2, integrality=[1, 0], vectorized=True, max_evaluations=8000, rng=4
    )
    assert r.success, r.message
    assert r.fun == 0
    assert "30 short runs from all over the region" in r.message


def test_the_end_of_a_budget_says_what_a_claim_lacks():
    r = cem.optimize(bowl, MIXED, max_evaluations=1500, rng=0)
    assert r.status is cem.Status.EVALUATION_LIMIT
    assert "a claim lacks a hundred of them in a row" in r.message


def test_a_flat_function_has_converged_to_nothing():
    r = cem.optimize(lambda p: 1.0, MIXED, rng=0)
    assert r.status is cem.Status.COLLAPSED
    assert len(r.minima) == 1
    assert "every candidate had the same score" in r.message


@pytest.mark.slow
def test_units_do_not_matter():
    scaled = cem.Space(
        {**MIXED.variables, "x": cem.Real(-5 * 2**20, 5 * 2**20), "y": cem.Real(-5 / 2**9, 5 / 2**9)}
    )

    def other(p):
        return 2**30 * bowl({**p, "x": p["x"] / 2**20, "y": p["y"] * 2**9})

    a, b = cem.optimize(bowl, MIXED, rng=1), cem.optimize(other, scaled, rng=1)
    assert a.status is b.status
    assert (a.x["n"], a.x["k"]) == (b.x["n"], b.x["k"])
    assert a.nfev == pytest.approx(b.nfev, rel=0.5)


@pytest.mark.parametrize("polish", [None, False])
def test_small_budgets_are_kept_and_used(polish):
    """The median of five seeds beats 60 random candidates; reals, whole numbers and labels."""
    found, luck = [], []
    for seed in range(5):
        r = cem.optimize(bowl, MIXED, max_evaluations=60, rng=seed, polish=polish)
        assert r.nfev == 60
        assert not r.success
        found.append(r.fun)
        rows = MIXED.present(
            np.random.default_rng(seed).uniform(MIXED.domain.low, MIXED.domain.high, (60, 4))
        )
        luck.append(min(map(bowl, MIXED.dicts(rows))))
    assert np.median(found) < np.median(luck)


def test_a_descent_takes_long_strides_through_wide_ranges():
    space = cem.Space(a=cem.Integer(0, 10**6), b=cem.Integer(1, 10**6, log=True), x=cem.Real(0, 1))

    def fun(p):
        return abs(p["a"] - 765_432) + abs(p["b"] - 1_234) + (p["x"] - 0.5) ** 2

    r = cem.optimize(fun, space, max_evaluations=600, rng=1)
    assert (r.x["a"], r.x["b"]) == (765_432, 1_234)


def test_a_flat_function_has_not_converged():
    r = cem.optimize(lambda p: 1.0, MIXED, max_evaluations=20_000, rng=1)
    assert not r.success


def test_noise_nobody_told_about_is_no_convergence():
    rng = np.random.default_rng(0)
    r = cem.optimize(lambda p: bowl(p) + rng.random(), MIXED, max_evaluations=3000, rng=1)
    assert not r.success
    assert (r.x["n"], r.x["k"]) == (3, "c")


@pytest.mark.slow
def test_variables_behind_an_option():
    space = cem.Space(
        model=cem.Choice(
            {
                "svm": cem.Space(C=cem.Real(1e-3, 1e3, log=True), kernel=cem.Choice(["rbf", "poly"])),
                "forest": cem.Space(trees=cem.Integer(1, 500, log=True)),
            }
        ),
        scale=cem.Real(0, 1),
    )

    def fun(p):
        if p["model"] == "forest":
            return 0.3 + np.log(p["trees"] / 100) ** 2 + (p["scale"] - 0.9) ** 2
        return 0.1 * np.log(p["C"] / 10) ** 2 + (p["kernel"] == "rbf") + (p["scale"] - 0.2) ** 2

    for seed in range(3):
        r = cem.optimize(fun, space, max_evaluations=1500, rng=seed)
        assert (r.x["model"], r.x["kernel"]) == ("svm", "poly")
        assert r.fun < 1e-6


def test_a_target_ends_the_run():
    r = cem.optimize(bowl, MIXED, target=0.01, rng=1)
    assert r.status is cem.Status.TARGET_REACHED
    assert r.fun <= 0.01


@pytest.mark.parametrize("seed", range(3))
def test_reals_follow_a_label_that_moves_their_optimum(seed):
    """No single change is better where a descent ends: the reals have to move with the label."""
    places = np.random.default_rng(seed).uniform(-3, 3, (4, 3))
    space = cem.Space(
        {f"x{i}": cem.Real(-5, 5) for i in range(3)}, k=cem.Choice(range(4)), m=cem.Choice(["a", "b"])
    )

    def fun(p):
        x = np.array([p["x0"], p["x1"], p["x2"]])
        return float(((x - places[p["k"]]) ** 2).sum() + p["k"] / 2 + (p["m"] != "b"))

    r = cem.optimize(fun, space, max_evaluations=300, rng=seed)
    assert (r.x["k"], r.x["m"]) == (0, "b")
    assert r.fun < 1e-6


@pytest.mark.slow
def test_descents_end_where_others_went_on():
    """A long curved ridge of a whole number and a real: no descent but the first few climbs all of it."""

    def ridge(v):
        return (v[0] - 30) ** 2 / 100 + 40 * (v[0] * v[1] - 30) ** 2 / 100

    r = cem.optimize(ridge, bounds=[(1, 60), (0.1, 40)], integrality=[1, 0], rng=1)
    assert r.success
    assert r.looks >= 100
    assert r.x[0] == 30
    assert r.nfev < 12_000
