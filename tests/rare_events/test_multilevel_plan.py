"""The multilevel plan and its update, served by hand: no driver, no budget, no objective."""

import numpy as np
import pytest
from scipy import stats

import cem
from cem.core.loop import Batch, Draw, Ended, State, Step
from cem.rare_events.importance import Tally
from cem.rare_events.multilevel import LEAST_HITS, MOST_GROWTH, LevelFit, draw_to_target, multilevel
from cem.rare_events.working_space import resolve_inputs

MOST_DRAWS = 50_000
NORMAL = cem.Gaussian([0.0, 0.0], std=1)


def totals(x):
    return np.asarray(x, dtype=float).sum(axis=1)


def batch_of(x, scores):
    x = np.asarray(x)
    return Batch(x, np.asarray(scores, dtype=float), lambda: np.random.default_rng(0))


def serve(plan, scores=totals, seed=0, end_at=None, keep=0):
    """Serve `plan`; throw `Ended` at draw number `end_at` (or where there is no end to it), with its first
    `keep` rows scored.

    Give its measurement, its draws (with their rows) and its steps.
    """
    rng = np.random.default_rng(seed)
    draws, steps = [], []
    try:
        request = next(plan)
        while True:
            if isinstance(request, Step):
                steps.append(request)
                request = plan.send(None)
                continue
            assert isinstance(request, Draw)
            spent = sum(len(x) for _, x in draws) > MOST_DRAWS
            x = request.family.sample(0 if spent else request.n, rng)
            if spent or len(draws) == end_at:
                batch = batch_of(x[:keep], scores(x[:keep])) if keep else None
                draws.append((request, x[:keep]))
                request = plan.throw(Ended(cem.Status.EVALUATION_LIMIT, "spent", batch))
            draws.append((request, x))
            request = plan.send(batch_of(x, scores(x)))
    except StopIteration as finished:
        return finished.value, draws, steps


def climb(inputs, level, target_cv=0.1, n=500, scores=totals, **how):
    return serve(multilevel(resolve_inputs(inputs, own=True), level, target_cv, n), scores, **how)


def levels_of(steps):
    return np.array([step.state.level for step in steps if step.stage == "climb"])


# --- levels ---------------------------------------------------------------------------------------------

RARE = {
    "exponential": (cem.Exponential([1.0, 1.0, 1.0]), 20.0, totals),
    "gaussian": (cem.Gaussian([0.0] * 10, std=1), 12.0, totals),
    "bernoulli": (cem.Bernoulli([0.1] * 20), 12.0, totals),
    "categorical": (cem.Categorical([[0.7, 0.2, 0.1]] * 8), 14.0, totals),
    "plateaus": (cem.Exponential([1.0, 1.0, 1.0]), 20.0, lambda x: 4 * np.floor(totals(x) / 4)),
    "out of reach": (cem.Bernoulli([0.1] * 20), 21.0, totals),
}


@pytest.mark.parametrize(("inputs", "level", "scores"), RARE.values(), ids=RARE)
@pytest.mark.parametrize("seed", range(5))
def test_levels_never_fall_nor_pass_the_level(inputs, level, scores, seed):
    levels = levels_of(climb(inputs, level, scores=scores, seed=seed)[2])
    assert np.all(np.diff(levels) >= 0)
    assert levels.max() <= level


@pytest.mark.parametrize("name", [name for name in RARE if name != "out of reach"])
@pytest.mark.parametrize("seed", range(5))
def test_the_climb_ends_exactly_at_the_level(name, seed):
    inputs, level, scores = RARE[name]
    levels = levels_of(climb(inputs, level, scores=scores, seed=seed)[2])
    assert len(levels) > 1
    assert levels[-1] == level
    assert np.all(levels[:-1] < level)


def test_the_first_level_is_the_elite_quantile():
    _, draws, steps = climb(NORMAL, 100.0)
    scores = np.sort(totals(draws[0][1]))
    assert steps[0].state.level == scores[-50]
    assert steps[0].state.elites == 50


def test_a_level_out_of_reach_ends_the_climb():
    value, _, steps = climb(cem.Bernoulli([0.1] * 20), 21.0)
    assert value.status is cem.Status.LEVEL_UNREACHED
    assert levels_of(steps)[-1] == 20
    assert len(value.tally.hits) == 0


# --- who teaches, and how much --------------------------------------------------------------------------


def test_refit_is_the_likelihood_ratio_weighted_mean():
    nominal, proposal = cem.Exponential([1.0, 2.0]), cem.Exponential([3.0, 1.0])
    x = proposal.sample(200, np.random.default_rng(1))
    state = LevelFit(nominal, np.inf).step(State(proposal), batch_of(x, totals(x)))
    elite = x[totals(x) >= np.sort(totals(x))[-20]]
    w = np.exp(-elite @ [1, 0.5] + elite @ [1 / 3, 1])
    np.testing.assert_allclose(state.family.mean, (w @ elite) / w.sum(), rtol=1e-12)
    assert state.elites == 20


def test_all_that_tie_at_the_level_teach():
    x = np.random.default_rng(1).exponential(size=(100, 2))
    scores = np.r_[np.full(3, 9.0), np.full(60, 5.0), np.zeros(37)]
    state = LevelFit(cem.Exponential([1.0, 1.0]), np.inf).step(
        State(cem.Exponential([1.0, 1.0])), batch_of(x, scores)
    )
    assert (state.level, state.elites) == (5.0, 63)
    np.testing.assert_allclose(state.family.mean, x[:63].mean(axis=0), rtol=1e-12)


def test_all_above_the_level_teach_once_it_is_reached():
    x = np.random.default_rng(1).exponential(size=(100, 2))
    nominal = cem.Exponential([1.0, 1.0])
    scores = np.linspace(0, 1, 100)
    state = LevelFit(nominal, 0.5).step(State(nominal), batch_of(x, scores))
    assert (state.level, state.elites) == (0.5, 50)
    np.testing.assert_allclose(state.family.mean, x[50:].mean(axis=0), rtol=1e-12)


def test_a_plateau_makes_way_for_the_next_higher_score():
    x = np.random.default_rng(1).exponential(size=(100, 2))
    nominal = cem.Exponential([1.0, 1.0])
    scores = np.r_[np.full(95, 3.0), 7.0, np.full(2, 4.0), 6.0, np.nan]
    state = LevelFit(nominal, 10.0).step(State(nominal, iteration=2, level=3.0), batch_of(x, scores))
    assert (state.level, state.elites) == (4.0, 4)


def test_a_batch_below_the_last_level_teaches_nothing():
    x = np.random.default_rng(1).exponential(size=(100, 2))
    before = State(cem.Exponential([2.0, 2.0]), iteration=2, level=3.0)
    after = LevelFit(cem.Exponential([1.0, 1.0]), 10.0).step(before, batch_of(x, np.full(100, 2.0)))
    assert after.family is before.family
    assert (after.level, after.elites) == (3.0, 0)


def test_nan_and_minus_infinity_never_teach():
    x = np.random.default_rng(1).exponential(size=(100, 2))
    nominal = cem.Exponential([1.0, 1.0])
    scores = np.r_[np.full(40, np.nan), np.full(55, -np.inf), np.arange(5.0)]
    state = LevelFit(nominal, 100.0).step(State(nominal), batch_of(x, scores))
    assert (state.level, state.elites) == (0.0, 5)
    np.testing.assert_allclose(state.family.mean, x[95:].mean(axis=0), rtol=1e-12)


def test_what_comes_after_a_barren_first_batch_teaches():
    """A first batch with nothing but -inf leaves no level behind; the second must not be lost on it."""
    nominal = cem.Exponential([1.0, 1.0])
    x = np.random.default_rng(1).exponential(size=(100, 2))
    update = LevelFit(nominal, 100.0)
    barren = update.step(update.init(nominal), batch_of(x, np.full(100, -np.inf)))
    assert barren.elites == 0
    barren = State(barren.family, iteration=1, level=barren.level)
    state = update.step(barren, batch_of(x, np.r_[np.full(95, -np.inf), np.arange(5.0)]))
    assert (state.level, state.elites) == (0.0, 5)


def test_infinite_scores_reach_any_level():
    x = np.random.default_rng(1).exponential(size=(100, 2))
    nominal = cem.Exponential([1.0, 1.0])
    state = LevelFit(nominal, 5.0).step(State(nominal), batch_of(x, np.r_[np.full(20, np.inf), np.zeros(80)]))
    assert (state.level, state.elites) == (5.0, 20)


# --- weights of zero ------------------------------------------------------------------------------------


def test_candidates_impossible_under_the_nominal_do_not_teach():
    nominal, proposal = cem.Exponential([1.0]), cem.Gaussian([0.0], std=2)
    x = np.array([[-1.0], [-3.0], [1.0], [2.0], [-2.0]])
    state = LevelFit(nominal, 0.0).step(State(proposal), batch_of(x, np.ones(5)))
    p = stats.expon.pdf(x[:, 0]) / stats.norm.pdf(x[:, 0], 0, 2)
    mean = p @ x[:, 0] / p.sum()
    np.testing.assert_allclose(state.family.mean, [mean], rtol=1e-12)
    np.testing.assert_allclose(state.family.std, [np.sqrt(p @ (x[:, 0] - mean) ** 2 / p.sum())], rtol=1e-12)


def test_elites_that_are_all_impossible_leave_the_family_alone():
    proposal = cem.Gaussian([0.0], std=2)
    state = LevelFit(cem.Exponential([1.0]), 0.0).step(State(proposal), batch_of([[-1.0], [-2.0]], [1, 1]))
    np.testing.assert_array_equal(state.family.mean, proposal.mean)
    np.testing.assert_array_equal(state.family.std, proposal.std)


def test_weights_that_underflow_together_still_teach():
    nominal, proposal = cem.Gaussian([0.0], std=1), cem.Gaussian([60.0], std=1)
    x = np.array([[60.0], [60.1], [60.2]])
    state = LevelFit(nominal, 0.0).step(State(proposal), batch_of(x, np.ones(3)))
    w = np.exp(-60 * (x[:, 0] - 60))
    np.testing.assert_allclose(state.family.mean, [w @ x[:, 0] / w.sum()], rtol=1e-12)


# --- discrete proposals ---------------------------------------------------------------------------------


def teach(nominal, proposal, x):
    x = np.asarray(x, dtype=np.uint8)
    return LevelFit(nominal, 0.0).step(State(proposal), batch_of(x, np.ones(len(x)))).family


BITS = [[0, 1, 0], [0, 1, 1]]


@pytest.mark.parametrize("start", [[0.1, 0.1, 0.1], [0.5, 0.5, 0.5]])
def test_no_bit_becomes_certain_where_the_nominal_is_not(start):
    p = teach(cem.Bernoulli([0.1, 0.1, 0.1]), cem.Bernoulli(start), BITS).p
    assert np.all((p > 0) & (p < 1))
    assert p[0] < 0.05
    assert p[1] > 0.95


def test_no_bit_becomes_certain_where_the_nominal_is_a_list_of_marginals():
    marginals = resolve_inputs([stats.bernoulli(0.1)] * 3, cem.Bernoulli([0.5] * 3))
    p = teach(marginals.nominal, marginals.proposal, BITS).p
    assert np.all((p > 0) & (p < 1))


class OnlyAsked:
    """A user's nominal, of a class of its own."""

    def __init__(self, p):
        self._family = cem.Bernoulli(p)
        self.dimension = len(p)

    def sample(self, n, rng):
        return self._family.sample(n, rng)

    def log_prob(self, x):
        return self._family.log_prob(x)

    def fit(self, x, weights=None):
        return self

    def blend(self, other, rate):
        return self

    def entropy(self):
        return 1.0


def test_no_bit_becomes_certain_where_the_nominal_is_of_another_class():
    p = teach(OnlyAsked([0.1, 0.1, 0.1]), cem.Bernoulli([0.5] * 3), BITS).p
    assert np.all((p > 0) & (p < 1))


def test_no_category_dies_out_where_the_nominal_has_it():
    nominal = cem.Categorical([[0.5, 0.3, 0.2], [0.5, 0.5, 0.0]])
    tables = teach(nominal, nominal, [[2, 0], [2, 0]]).probabilities
    np.testing.assert_array_equal(tables > 0, nominal.probabilities > 0)
    np.testing.assert_allclose(tables.sum(axis=1), 1)
    assert tables[0, 2] > 0.95


@pytest.mark.parametrize(
    ("inputs", "level", "possible"),
    [
        (cem.Bernoulli([0.1] * 20), 15.0, lambda f: np.c_[f.p, 1 - f.p] > 0),
        (cem.Bernoulli([0.1] * 19 + [0.0]), 15.0, lambda f: np.c_[f.p[:-1], 1 - f.p[:-1]] > 0),
        (cem.Categorical([[0.7, 0.2, 0.1]] * 8), 15.0, lambda f: f.probabilities > 0),
    ],
    ids=["bits", "an impossible bit", "categories"],
)
@pytest.mark.parametrize("seed", range(5))
def test_no_proposal_of_a_whole_climb_rules_anything_out(inputs, level, possible, seed):
    _, draws, _ = climb(inputs, level, n=200, seed=seed)
    assert len(draws) > 3
    assert all(possible(request.family).all() for request, _ in draws)


# --- measuring ------------------------------------------------------------------------------------------


def test_the_measurement_forgets_the_climb():
    """The proposal was fitted to the climb's draws; counting them again would bias the estimate."""
    value, draws, steps = climb(cem.Exponential([1.0, 1.0]), 12.0)
    climbing = sum(step.stage == "climb" for step in steps)
    measuring = draws[climbing:]
    assert value.tally.draws == sum(len(x) for _, x in measuring)
    x = np.concatenate([x for _, x in measuring])
    np.testing.assert_array_equal(value.tally.hits, x[totals(x) >= 12])


def test_the_measurement_has_one_frozen_proposal_and_unbiased_weights():
    nominal = cem.Exponential([1.0, 1.0])
    value, draws, steps = climb(nominal, 12.0)
    climbing = sum(step.stage == "climb" for step in steps)
    assert {id(request.family) for request, _ in draws[climbing:]} == {id(value.proposal)}
    log_weights = nominal.log_prob(value.tally.hits) - value.proposal.log_prob(value.tally.hits)
    np.testing.assert_array_equal(value.tally.log_weights, log_weights)


@pytest.mark.parametrize("target_cv", [0.3, 0.1, 0.03])
def test_the_measurement_ends_at_the_target_and_not_before_fifty_hits(target_cv):
    value, draws, _ = serve(draw_to_target(NORMAL, NORMAL, 2.5, target_cv, 200))
    assert value.status is cem.Status.TARGET_REACHED
    assert value.tally.coefficient_of_variation <= target_cv
    assert len(value.tally.hits) >= LEAST_HITS
    x = np.concatenate([x for _, x in draws[:-1]]) if len(draws) > 1 else np.empty((0, 2))
    before = Tally().add(x, totals(x), 2.5, NORMAL, NORMAL)
    assert before.coefficient_of_variation > target_cv or len(before.hits) < LEAST_HITS


def test_the_measurement_grows_by_limited_steps():
    _, draws, _ = serve(draw_to_target(NORMAL, NORMAL, 3.0, 0.05, 100))
    sizes = np.array([request.n for request, _ in draws])
    assert sizes[0] == 100
    assert len(sizes) > 3
    assert np.all(sizes > 0)
    assert np.all(sizes[1:] <= MOST_GROWTH * np.cumsum(sizes)[:-1])


def test_an_event_that_is_not_rare_is_measured_with_the_nominal_itself():
    value, _, steps = climb(NORMAL, 0.0)
    assert value.plain
    assert value.proposal is NORMAL
    assert len(levels_of(steps)) == 1


def test_a_rare_event_is_not_measured_with_the_nominal():
    nominal = cem.Exponential([1.0, 1.0])
    value, _, _ = climb(nominal, 12.0)
    assert not value.plain
    assert np.all(value.proposal.mean > 2)


# --- cut short ------------------------------------------------------------------------------------------

EVENT = (cem.Exponential([1.0, 1.0]), 12.0)
LENGTH = len(climb(*EVENT)[1])
CLIMB = len(levels_of(climb(*EVENT)[2]))


def test_there_is_something_to_cut():
    assert 2 <= CLIMB < LENGTH - 1


@pytest.mark.parametrize("keep", [0, 123])
@pytest.mark.parametrize("end_at", range(LENGTH))
def test_cut_short_anywhere_it_counts_what_it_weighs(end_at, keep):
    value, draws, _ = climb(*EVENT, end_at=end_at, keep=keep)
    if value.status is cem.Status.TARGET_REACHED:  # with what was still drawn of the last batch
        assert end_at >= CLIMB
        assert value.tally.coefficient_of_variation <= 0.1
    else:
        assert value.status is cem.Status.EVALUATION_LIMIT
        assert "spent" in value.message
    assert len(draws) == end_at + 1
    if end_at == 0:
        counted = draws
    elif end_at < CLIMB:
        counted = draws[:1]  # of a climb, only the first batch is known to be unbiased
    else:
        counted = draws[CLIMB:]
    x = np.concatenate([x for _, x in counted])
    if (totals(x) >= EVENT[1]).any() or end_at < CLIMB:
        assert value.tally.draws == len(x)
        np.testing.assert_array_equal(value.tally.hits.reshape(-1, 2), x[totals(x) >= EVENT[1]])
        assert value.proposal is counted[0][0].family
    else:  # a measurement without a hit: the first batch says more
        assert value.tally.draws == len(draws[0][1])
        assert value.plain
