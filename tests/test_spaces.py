"""Named variables: spaces, what is refused, and everything a run does with them."""

import pickle

import numpy as np
import pytest
from scipy.optimize import LinearConstraint, NonlinearConstraint

import cem

SPACE = cem.Space(
    {"learning rate": cem.Real(1e-4, 1.0, log=True)},
    depth=cem.Integer(1, 12),
    width=cem.Integer(1, 1000, log=True),
    model=cem.Choice({"svm": cem.Space(C=cem.Real(0, 1)), "forest": None}),
    flag=cem.Choice([True, False]),
)


def loss(p):
    behind = 4 * (p["C"] - 0.25) ** 2 if p["model"] == "svm" else 0.2
    own = np.log(p["learning rate"] / 0.01) ** 2 + (p["depth"] - 5) ** 2 + np.log(p["width"] / 40) ** 2
    return float(own + behind + (0 if p["flag"] else 0.5))


def losses(p):
    behind = np.ma.where(p["model"] == "svm", 4 * (p["C"] - 0.25) ** 2, 0.2).filled(0.2)
    own = np.log(p["learning rate"] / 0.01) ** 2 + (p["depth"] - 5) ** 2 + np.log(p["width"] / 40) ** 2
    return own + behind + np.where(p["flag"], 0, 0.5)


class Recorder:
    def __init__(self, fun):
        self.fun, self.calls = fun, []

    def __call__(self, *args):
        self.calls.append(args)
        return self.fun(*args)


def assert_candidate(p):
    names = [name for name in SPACE.names if name != "C" or p["model"] == "svm"]
    assert list(p) == names
    assert type(p["learning rate"]) is float
    assert 1e-4 <= p["learning rate"] <= 1
    assert type(p["depth"]) is int
    assert 1 <= p["depth"] <= 12
    assert type(p["width"]) is int
    assert 1 <= p["width"] <= 1000
    assert p["flag"] is True or p["flag"] is False
    assert p["model"] in ("svm", "forest")
    if p["model"] == "svm":
        assert 0 <= p["C"] <= 1


# --- runs -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run():
    fun = Recorder(loss)
    return fun, cem.optimize(fun, SPACE, max_evaluations=800, rng=1)


def test_every_candidate_is_a_dict_of_python_scalars_in_order(run):
    fun, r = run
    assert len(fun.calls) == r.nfev == 800
    for (p,) in fun.calls:
        assert_candidate(p)
    assert_candidate(r.x)
    assert loss(r.x) == r.fun


def test_the_minimum_is_found(run):
    r = run[1]
    assert r.fun < 1e-3
    assert (r.x["depth"], r.x["width"], r.x["model"], r.x["flag"]) == (5, 40, "svm", True)


@pytest.mark.slow
def test_vectorised_and_parallel_runs_are_the_same(run):
    r = run[1]
    others = (
        cem.optimize(losses, SPACE, max_evaluations=800, rng=1, vectorized=True),
        cem.optimize(loss, SPACE, max_evaluations=800, rng=1, n_jobs=2),
    )
    assert others[1].x == r.x
    assert others[1].fun == r.fun
    assert others[0].fun == pytest.approx(r.fun, rel=1e-6, abs=1e-9)


def test_vectorised_functions_get_arrays_with_masked_entries():
    fun = Recorder(losses)
    cem.optimize(fun, SPACE, max_evaluations=200, rng=1, vectorized=True, population=20)
    for (p,) in fun.calls:
        assert list(p) == list(SPACE.names)
        assert p["depth"].dtype == p["width"].dtype == np.int64
        np.testing.assert_array_equal(np.ma.getmaskarray(p["C"]), p["model"] == "forest")


def test_callbacks_and_history_know_the_names():
    pytest.importorskip("pandas")
    seen = []
    r = cem.optimize(loss, SPACE, max_evaluations=300, rng=2, callback=lambda r: seen.append(r))
    assert sum(len(each.population) for each in seen) == r.nfev
    for each in seen:
        assert_candidate(each.x)
        assert [loss(p) for p in each.population] == each.scores.tolist()
    frame = r.history.to_frame()
    assert len(frame) == r.nit
    last = frame.iloc[-1]
    assert [last[f"x.{name}"] for name in r.x] == list(r.x.values())
    assert "x.C" in frame.columns


def test_checkpoints(tmp_path):
    whole = cem.optimize(loss, SPACE, max_evaluations=300, rng=3)
    path = tmp_path / "run.npz"
    first = cem.optimize(loss, SPACE, max_evaluations=300, max_iterations=5, rng=3, checkpoint=path)
    assert first.nfev < 200
    r = cem.optimize(loss, SPACE, max_evaluations=300, rng=3, checkpoint=path, resume=True)
    assert (r.x, r.fun, r.nfev) == (whole.x, whole.fun, whole.nfev)
    other = cem.Space({**SPACE.variables, "depth": cem.Integer(1, 13)})
    with pytest.raises(ValueError, match="variables"):
        cem.optimize(loss, other, max_evaluations=300, rng=3, checkpoint=path, resume=True)


@pytest.mark.slow
def test_constraints_are_functions_of_the_dict():
    limit = NonlinearConstraint(lambda p: p["depth"] * p["learning rate"], -np.inf, 0.02)
    r = cem.optimize(loss, SPACE, max_evaluations=1500, rng=1, constraints=limit)
    assert r.x["depth"] * r.x["learning rate"] <= 0.02
    assert r.maxcv == 0
    assert r.fun < 1.5
    with pytest.raises(TypeError, match="names of variables"):
        cem.optimize(loss, SPACE, constraints=LinearConstraint(np.eye(6), 0, 1), rng=1)


def test_noise():
    def noisy(p, rng):
        return loss(p) + 0.05 * rng.standard_normal()

    r = cem.optimize(noisy, SPACE, noisy=True, pass_rng=True, max_evaluations=2000, rng=1)
    assert_candidate(r.x)
    assert loss(r.x) < 0.3
    assert r.fun == pytest.approx(loss(r.x), abs=5 * r.fun_standard_error)


def test_an_error_names_the_candidate():
    def broken(p):
        raise RuntimeError("no")

    with pytest.raises(cem.ObjectiveError) as caught:
        cem.optimize(broken, SPACE, rng=1)
    assert_candidate(caught.value.candidate)


# --- starts -----------------------------------------------------------------------------------------

STARTS = [
    {"learning rate": 0.5, "depth": 2, "width": 3, "model": "forest", "flag": False},
    {"learning rate": 0.02, "depth": 6, "width": 50, "model": "svm", "C": 0.5, "flag": True},
]


def test_several_starts_are_all_evaluated_and_the_best_starts_the_search():
    fun = Recorder(loss)
    r = cem.optimize(fun, STARTS, bounds=SPACE, max_evaluations=60, rng=1)
    for (p,), start in zip(fun.calls[:2], STARTS, strict=True):
        assert p == pytest.approx(start)
    assert r.fun <= min(map(loss, STARTS))
    near = [p for (p,) in fun.calls[2:]]
    assert np.median([abs(p["depth"] - 6) for p in near]) <= 2


def test_several_starts_in_a_box():
    fun = Recorder(lambda x: float(((x - 3) ** 2).sum()))
    starts = [[-4.0, 4.0, 0.0], [2.5, 3.0, 3.5]]
    r = cem.optimize(fun, starts, bounds=[(-5, 5)] * 3, rng=1)
    np.testing.assert_array_equal([x for (x,) in fun.calls[:2]], starts)
    assert r.success
    np.testing.assert_allclose(r.x, 3, atol=1e-5)
    with pytest.raises(ValueError, match="looks like bounds"):
        cem.optimize(fun, [[-5, 5], [-5, 5]], rng=1)


@pytest.mark.slow
def test_a_run_that_does_not_reach_its_start_has_not_converged():
    needle = [{"x": 0.123, "k": "a"}]

    def spiked(p):
        return -1.0 if p["x"] == 0.123 else abs(p["x"] - 0.8) + (p["k"] != "b")

    space = cem.Space(x=cem.Real(0, 1), k=cem.Choice(["a", "b"]))
    r = cem.optimize(spiked, needle, bounds=space, max_evaluations=20_000, rng=1)
    assert r.x == needle[0]
    assert not r.success


def test_a_distribution_continues_a_run():
    first = cem.optimize(loss, SPACE, max_evaluations=600, rng=1)
    fun = Recorder(loss)
    cem.optimize(fun, first.family, bounds=SPACE, max_evaluations=50, polish=False, rng=2)
    assert np.median([loss(p) for (p,) in fun.calls]) < 1


# --- spaces of one kind -----------------------------------------------------------------------------


def test_reals_are_searched_as_a_box():
    space = cem.Space(a=cem.Real(-5, 5), b=cem.Real(1e-6, 1, log=True))
    r = cem.optimize(lambda p: (p["a"] - 1) ** 2 + np.log(p["b"] / 1e-3) ** 2, space, rng=1)
    assert r.success
    assert isinstance(r.family, cem.Gaussian)
    assert r.x == pytest.approx({"a": 1, "b": 1e-3}, rel=1e-4)


@pytest.mark.slow
def test_whole_numbers():
    space = cem.Space(a=cem.Integer(-30, 30), b=cem.Real(-3, 3))
    r = cem.optimize(lambda p: (p["a"] - 7) ** 2 + (p["b"] - 0.1 * p["a"]) ** 2, space, rng=1)
    assert r.success
    assert r.x["a"] == 7
    assert r.x["b"] == pytest.approx(0.7, abs=1e-4)


@pytest.mark.parametrize("log", [False, True])
def test_a_discrete_space_is_seen_whole_and_nothing_twice(log):
    space = cem.Space(a=cem.Integer(1, 30, log=log), b=cem.Choice("xyz"[i] for i in range(3)))
    fun = Recorder(lambda p: abs(p["a"] - 11) + (p["b"] != "y"))
    r = cem.optimize(fun, space, rng=1)
    assert r.x == {"a": 11, "b": "y"}
    assert r.success
    assert len({tuple(p.values()) for (p,) in fun.calls}) == len(fun.calls) <= 90


def test_choices_alone():
    space = cem.Space(
        a=cem.Choice({"u": cem.Space(i=cem.Choice([1, 2, 3])), "v": None}), b=cem.Choice(range(9))
    )
    fun = Recorder(lambda p: (p["b"] - 4) ** 2 + (p.get("i", 0) - 2) ** 2)
    r = cem.optimize(fun, space, rng=1)
    assert r.x == {"a": "u", "i": 2, "b": 4}
    assert r.success
    assert len({tuple(p.values()) for (p,) in fun.calls}) == len(fun.calls) <= 36


# --- products ---------------------------------------------------------------------------------------


def test_a_product_gives_dicts_of_its_parts():
    start = cem.Product(
        bits=cem.Bernoulli([0.5] * 3), a=cem.Gaussian([0.0, 0.0], std=1.0), k=cem.Categorical([[0.5, 0.5]])
    )

    def fun(p):
        assert p["bits"].shape == (3,)
        assert p["bits"].dtype == np.int64
        assert not p["a"].flags.writeable
        assert type(p["k"]) is int
        return float(((p["a"] - 1) ** 2).sum() + p["k"] + (3 - p["bits"].sum()))

    r = cem.optimize(fun, start, max_evaluations=1500, rng=1)
    assert r.fun < 1e-8
    assert r.x["bits"].tolist() == [1, 1, 1]
    assert r.family.names == start.names
    np.testing.assert_allclose(r.family["a"].mean, 1, atol=0.1)
    assert r.family["bits"].p.min() > 0.9


def test_a_product_of_other_families_is_fitted():
    start = cem.Product(wait=cem.Exponential([2.0]), order=cem.Permutation(3))

    def fun(p):
        return (p["wait"] - 1) ** 2 + float((p["order"] != np.arange(3)).sum())

    r = cem.optimize(fun, start, max_evaluations=3000, rng=1)
    assert r.x["wait"] == pytest.approx(1, abs=0.05)
    assert r.x["order"].tolist() == [0, 1, 2]


# --- ask and tell -----------------------------------------------------------------------------------


def test_ask_and_tell(tmp_path):
    m = cem.CrossEntropyMethod(SPACE, rng=1, population=60)
    for _ in range(25):
        rows = m.ask()
        dicts = SPACE.dicts(rows)
        for p in dicts:
            assert_candidate(p)
        np.testing.assert_allclose(SPACE.rows(dicts), rows, rtol=1e-12, atol=1e-12)
        m.tell(rows, [loss(p) for p in dicts])
    assert m.best_fun < 0.6
    m.save(tmp_path / "m.npz")
    again = cem.CrossEntropyMethod.load(tmp_path / "m.npz", space=SPACE)
    np.testing.assert_array_equal(again.ask(), m.ask())
    with pytest.raises(ValueError, match="space="):
        cem.CrossEntropyMethod.load(tmp_path / "m.npz")


# --- rows and back ----------------------------------------------------------------------------------


def test_rows_and_dicts():
    back = SPACE.dicts(SPACE.rows(STARTS))
    for p, start in zip(back, STARTS, strict=True):
        assert list(p) == list(start)
        assert p == pytest.approx(start)
    drawn = SPACE.present(SPACE.start().sample(300, np.random.default_rng(0)))
    np.testing.assert_allclose(SPACE.present(drawn), drawn, rtol=1e-14)
    assert pickle.loads(pickle.dumps(SPACE)).dicts(drawn) == SPACE.dicts(drawn)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"depth": 13}, "outside"),
        ({"depth": 2.5}, "no whole number"),
        ({"model": "tree"}, "none of the options"),
        ({"flag": 1}, "none of the options"),
        ({"C": 0.5}, "not chosen"),
        ({"gamma": 0.5}, "not of the space"),
        ({"model": "svm"}, "'C' is missing"),
        ({"learning rate": np.nan}, "outside|NaN|number"),
    ],
)
def test_wrong_candidates_are_refused_by_name(change, message):
    with pytest.raises(ValueError, match=message):
        SPACE.rows([{**STARTS[0], **change}])


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: cem.Real(0, 1, log=True), ValueError, "low > 0"),
        (lambda: cem.Real(-1, 1, log=True), ValueError, "low > 0"),
        (lambda: cem.Real(1, 0), ValueError, "low < high"),
        (lambda: cem.Real(1, 1), ValueError, "low < high"),
        (lambda: cem.Real(np.nan, 1), ValueError, "low of a Real"),
        (lambda: cem.Real(0, np.inf), ValueError, "high of a Real must be finite"),
        (lambda: cem.Real("a", 1), TypeError, "low of a Real"),
        (lambda: cem.Real(0, 1, log="yes"), TypeError, "log"),
        (lambda: cem.Integer(0.5, 3), ValueError, "whole number"),
        (lambda: cem.Integer(3, 2), ValueError, "low <= high"),
        (lambda: cem.Integer(0, 10, log=True), ValueError, "low >= 1"),
        (lambda: cem.Integer(0, np.inf), ValueError, "must be finite"),
        (lambda: cem.Integer(0, 2**60), ValueError, "within 2"),
        (lambda: cem.Choice([]), ValueError, "at least one option"),
        (lambda: cem.Choice({}), ValueError, "at least one option"),
        (lambda: cem.Choice(["a", "b", "a"]), ValueError, "'a' twice"),
        (lambda: cem.Choice("abc"), TypeError, "sequence of options"),
        (lambda: cem.Choice(3), TypeError, "sequence of options"),
        (lambda: cem.Choice({"a": 3}), TypeError, "behind the option 'a'"),
        (lambda: cem.Space(a=3), TypeError, "'a' must be a Real"),
        (lambda: cem.Space({3: cem.Real(0, 1)}), TypeError, "name of a variable"),
        (lambda: cem.Space({"a": cem.Real(0, 1)}, a=cem.Real(0, 1)), ValueError, "'a' is given twice"),
        (lambda: cem.Space([cem.Real(0, 1)]), TypeError, "mapping"),
        (
            lambda: cem.Space(a=cem.Real(0, 1), b=cem.Choice({"u": cem.Space(a=cem.Real(0, 1))})),
            ValueError,
            "'a' is given twice",
        ),
        (lambda: cem.Space(b=cem.Choice({"u": cem.Space(b=cem.Real(0, 1))})), ValueError, "'b' is given"),
        (lambda: cem.optimize(loss, cem.Space()), ValueError, "at least one variable"),
        (lambda: cem.optimize(loss, SPACE, bounds=[(0, 1)] * 6), TypeError, "leave bounds out"),
        (lambda: cem.optimize(loss, SPACE, integrality=1), TypeError, "leave integrality out"),
        (lambda: cem.optimize(loss, [], bounds=SPACE), ValueError, "empty list"),
        (lambda: cem.optimize(loss, SPACE, improve=lambda *a: a), TypeError, "improve"),
        (
            lambda: cem.optimize(loss, cem.Gaussian([0.0], std=1.0), bounds=SPACE),
            ValueError,
            "over this space",
        ),
    ],
)
def test_wrong_spaces_are_refused_by_name(make, error, message):
    with pytest.raises(error, match=message):
        make()
