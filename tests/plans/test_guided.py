"""Few evaluations of numbers and labels: what a model of the ranks is told, and where it looks."""

import numpy as np
import pytest
from helpers import serve

import cem
from cem.plans.guided import GuidedSampling, Surface, _scores
from cem.plans.mixed_region import Region

SPACE = cem.Space(
    x=cem.Real(-5, 5), y=cem.Real(-5, 5), n=cem.Integer(1, 100, log=True), k=cem.Choice(list("abcd"))
)


def stepped(p):
    """Steps of a quarter, as an error rate has them."""
    smooth = abs(p["x"] - 1.3) + abs(p["y"] + 2) + abs(np.log(p["n"] / 20)) + 2 * (p["k"] != "c")
    return np.floor(4 * smooth) / 4


def stages(r):
    return [entry.stage for entry in r.history]


def test_those_that_share_a_value_share_a_rank():
    """By hand: of five, the second and third share rank 2.5; an infinite value is the last."""
    z = _scores(np.array([3.0, 1.0, np.inf, 3.0, 7.0]))
    assert z[0] == z[3] == pytest.approx(np.median(z[[0, 3]]))
    assert z[1] < z[0] < z[4] < z[2]
    np.testing.assert_allclose([z.mean(), z.std()], [0, 1], atol=1e-12)
    assert _scores(np.ones(4)).tolist() == [0] * 4


def test_steps_are_searched_by_the_model_alone():
    """Its median is better than that of `polish=False`, the distribution alone; noise is looked for once."""
    guided, drawn = [], []
    for seed in range(5):
        seen = []

        def noted(p, seen=seen):
            seen.append(tuple(p.values()))
            return stepped(p)

        r = cem.optimize(noted, SPACE, max_evaluations=40, rng=seed)
        assert set(stages(r)) == {"guided sampling"}
        assert r.nfev == 40
        assert len(set(seen)) >= 39
        guided.append(r.fun)
        drawn.append(cem.optimize(stepped, SPACE, max_evaluations=40, rng=seed, polish=False).fun)
    assert np.median(guided) < np.median(drawn)


def test_a_first_descent_that_sees_no_slope_gives_way():
    r = cem.optimize(stepped, SPACE, max_evaluations=80, rng=0)
    assert stages(r).count("guided sampling") > 60


def bowl(p):
    return (p["x"] - 1.3) ** 2 + 9 * (p["y"] + 2) ** 2 + np.log(p["n"] / 20) ** 2 + (p["k"] != "c")


def rugged(p):
    return bowl(p) - 10 * np.cos(6 * p["x"]) - 10 * np.cos(6 * p["y"])


def test_a_bowl_is_descended_into_at_once():
    """The best of four candidates, a tiny step, two more on a line, and no sampling before a descent."""
    for seed in range(5):
        r = cem.optimize(bowl, SPACE, max_evaluations=48, rng=seed)
        assert stages(r).count("guided sampling") == 6
        assert "sampling" not in stages(r)[: stages(r).index("descent")]
        assert abs(r.x["x"] - 1.3) < 1e-6
        assert r.fun < 0.01


def test_other_slopes_are_sampled_before_a_descent():
    r = cem.optimize(rugged, SPACE, max_evaluations=48, rng=0)
    assert stages(r)[:7] == ["guided sampling"] * 6 + ["sampling"]


def test_without_reals_a_third_is_the_model_s():
    space = cem.Space(n=cem.Integer(1, 100), m=cem.Integer(1, 100), k=cem.Choice(list("abcd")))

    def fun(p):
        return (p["n"] - 20.3) ** 2 + np.pi * (p["m"] - 60.7) ** 2 + (p["k"] != "c")

    r = cem.optimize(fun, space, max_evaluations=42, rng=0)
    assert stages(r).count("guided sampling") == 14


@pytest.mark.parametrize(
    ("fun", "surface"),
    [
        (bowl, Surface.BOWL),
        (rugged, Surface.SMOOTH),
        (stepped, Surface.STEPS),
        (lambda p: bowl(p) + 1e3 * np.sin(1e7 * p["x"]), Surface.STEPS),
        (lambda p: bowl(p) if p["x"] > 0 else np.inf, Surface.SMOOTH),
        (lambda p: np.inf, Surface.UNKNOWN),
    ],
)
def test_a_line_tells_bowls_slopes_and_jumps_apart(fun, surface):
    guided = GuidedSampling(Region(SPACE.layout, SPACE.start()), np.random.default_rng(0))
    found, _ = serve(lambda x: fun(SPACE.dicts(x[None])[0]), guided.probe(), SPACE.layout.domain)
    assert found is surface


def test_the_first_candidates_are_spread_evenly():
    space = cem.Space(x=cem.Real(0, 8), n=cem.Integer(1, 8), k=cem.Choice(list("abcd")))
    guided = GuidedSampling(Region(space.layout, space.start()), np.random.default_rng(0))
    x = guided._evenly(8)
    assert sorted(np.floor(x[:, 0])) == list(range(8))
    assert sorted(x[:, 1]) == list(range(1, 9))
    assert sorted(x[:, 2]) == [0, 0, 1, 1, 2, 2, 3, 3]


def test_entries_without_a_say_are_coded_alike():
    space = cem.Space(a=cem.Real(0, 1), k=cem.Choice({"u": cem.Space(b=cem.Real(0, 1)), "v": None}))
    guided = GuidedSampling(Region(space.layout, space.start()), np.random.default_rng(0))
    rows = np.array([[0.5, 1, 0.1], [0.5, 1, 0.9], [0.5, 0, 0.1], [0.5, 0, 0.9]])  # a, k, b
    coded = guided._coded(rows)
    np.testing.assert_array_equal(coded[0], coded[1])
    assert (coded[2] != coded[3]).tolist() == [False, True, False]


def test_many_labels_are_left_to_the_distribution():
    space = cem.Space(x=cem.Real(0, 1), k=cem.Choice(range(100)))
    r = cem.optimize(lambda p: round(p["x"], 1) + p["k"], space, max_evaluations=25, rng=0)
    assert "guided sampling" not in stages(r)
