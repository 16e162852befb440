"""Systems of several limit states: closed forms, each mode against truth, what may be given or not."""

import json
import math
import time

import numpy as np
import pytest
from scipy import stats

import cem
from cem.rare_events.systems import System, read_system

SF = stats.norm.sf
INPUTS = cem.Gaussian(np.zeros(3), std=np.ones(3))
LEVELS = [2.6, 3.0, 2.8]


def columns(X):
    return X * [1.0, 100.0, 0.01]  # the modes' units do not matter


def scaled(levels):
    return (np.array(levels) * [1.0, 100.0, 0.01]).tolist()


def two_of_three(margins):
    return np.sort(margins, axis=1)[:, 1]


def estimate(performance=columns, level=2.6, **kwargs):
    kwargs = {"system": "series", "vectorized": True, "rng": 1} | kwargs
    return cem.estimate_probability(performance, INPUTS, level, **kwargs)


def truth(structure, levels):
    p = SF(np.array(levels))
    if structure == "series":
        return 1 - np.prod(1 - p), p
    if structure == "parallel":
        return np.prod(p), p
    return p[0] * p[1] + p[0] * p[2] + p[1] * p[2] - 2 * p.prod(), p


CASES = [("series", LEVELS), ("parallel", [1.0, 1.3, 0.8]), (two_of_three, [1.6, 2.0, 1.8])]


@pytest.mark.parametrize(
    "method", ["improved", pytest.param("surrogate", marks=pytest.mark.slow)], ids=["improved", "surrogate"]
)
@pytest.mark.parametrize(("structure", "levels"), CASES, ids=["series", "parallel", "two of three"])
def test_independent_modes(method, structure, levels):
    exact, alone = truth(structure, levels)
    e = estimate(level=scaled(levels), system=structure, method=method)
    low, high = e.confidence_interval()
    assert e.success
    assert low <= exact <= high
    assert method == "improved" or e.nfev < 200
    for mode, p in zip(e.modes, alone, strict=True):
        assert abs(mode.probability - p) < 4 * mode.standard_error
    shares = [mode.share for mode in e.modes]
    if structure == "series":
        tolerance = 4 * max(mode.standard_error for mode in e.modes) / exact
        assert shares == pytest.approx((alone / exact).tolist(), abs=tolerance)
    elif structure == "parallel":
        assert shares == pytest.approx([1, 1, 1])


def test_by_the_multilevel_method():
    e = estimate(level=scaled(LEVELS), method="multilevel", target_cv=0.1)
    low, high = e.confidence_interval()
    assert low <= truth("series", LEVELS)[0] <= high
    assert sum(mode.share for mode in e.modes) >= 1


def test_modes_far_apart_one_of_which_no_draw_at_first_sees():
    e = estimate(lambda X: np.column_stack([X[:, 0], -X[:, 0] - 0.5]), level=3.0)
    low, high = e.confidence_interval()
    assert low <= SF(3.0) + SF(3.5) <= high
    assert e.modes["g1"].share == pytest.approx(SF(3.5) / (SF(3.0) + SF(3.5)), abs=0.05)


def load(x):
    return x[0]


def heat(x):
    return x[1]


# --- what may be given ------------------------------------------------------------------------------------


def test_limit_states_are_named_by_their_functions_or_keys():
    options = {"vectorized": False, "max_evaluations": 400, "method": "improved"}
    names = [mode.name for mode in estimate([load, heat], **options).modes]
    assert names == ["load", "heat"]
    e = estimate({"bending": load, "shear": heat}, **options)
    assert e.modes["bending"].name == "bending"
    with pytest.raises(KeyError):
        e.modes["load"]


@pytest.mark.slow
def test_a_list_and_a_row_of_numbers_are_the_same():
    together = estimate(lambda x: x[:2], level=[2.6, 2.6], vectorized=False)
    apart = estimate([load, heat], vectorized=False)
    assert together.probability == apart.probability
    assert [m.probability for m in together.modes] == [m.probability for m in apart.modes]


def test_one_evaluation_tells_how_many_modes_there_are():
    options = {"performance": lambda X: X, "max_evaluations": 600, "method": "improved"}
    known, asked = (estimate(level=level, **options) for level in ([2.6] * 3, 2.6))
    assert len(known.modes) == len(asked.modes) == 3
    assert asked.nfev == 600


@pytest.mark.slow
def test_the_lower_tail():
    e = estimate(lambda X: -columns(X), level=(-np.array(scaled(LEVELS))).tolist(), tail="lower")
    assert e.probability == estimate(level=scaled(LEVELS)).probability


def test_a_mode_that_is_nan_matters_only_where_it_decides():
    system = System("series", np.zeros(1), 1.0, ("a", "b"), np.ones(2))
    margins = np.array([[1.0, np.nan], [-1.0, np.nan], [np.nan, np.nan], [-1.0, -2.0]])
    assert system.score(margins).tolist()[::3] == [1.0, -1.0]
    assert np.isnan(system.score(margins)[1:3]).all()
    parallel = System("parallel", np.zeros(1), 1.0, ("a", "b"), np.ones(2))
    assert np.isnan(parallel.score(margins)).tolist() == [True, False, True, False]


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["flag", "event", "omit"])
def test_failed_runs_of_one_mode(policy):
    def failing(X):
        return np.column_stack([X[:, 0], np.where(np.abs(X[:, 1]) < 0.05, np.nan, X[:, 2])])

    e = estimate(failing, level=2.6, nan_policy=policy)
    lost, p = 1 - 2 * SF(0.05), SF(2.6)
    own = {"flag": p + (1 - p) * p * (1 - lost), "event": p + (1 - p) * (lost + p * (1 - lost))}
    own["omit"] = own["flag"] / (1 - lost * (1 - p))
    low, high = e.confidence_interval()
    assert low <= own[policy] <= high
    assert e.success == (policy != "flag")


def test_the_verdict_of_independent_modes():
    z = np.array([[-1.0, 0.5], [-40.0, -41.0], [40.0, -1.0], [-3.0, -3.0]])
    p = stats.norm.cdf(z)
    series, parallel = (System(s, np.zeros(1), 1.0, ("a", "b")) for s in ("series", "parallel"))
    own = System(lambda m: m.max(axis=1), np.zeros(1), 1.0, ("a", "b"))
    assert stats.norm.cdf(series.verdict(z)[[0, 3]]) == pytest.approx(1 - np.prod(1 - p[[0, 3]], axis=1))
    assert stats.norm.cdf(parallel.verdict(z)[[0, 3]]) == pytest.approx(np.prod(p[[0, 3]], axis=1))
    assert own.verdict(z) == pytest.approx(series.verdict(z))
    assert series.verdict(z)[1] == pytest.approx(-40, abs=0.1)
    assert np.isfinite(parallel.verdict(z)).all()


# --- how it is carried out --------------------------------------------------------------------------------


def slow_corner(x):
    if x[1] > 1.0:
        time.sleep(60)
    return x[:2]


def test_two_workers_and_a_break_change_nothing(tmp_path):
    path, seen = tmp_path / "run", []

    def stop(intermediate_result):
        seen.append(intermediate_result)
        return len(seen) == 2

    def row(x):
        return x[:2]

    options = {"vectorized": False, "max_evaluations": 800, "method": "improved"}
    whole = estimate(row, **options)
    broken = estimate(row, checkpoint=path, callback=stop, **options)
    resumed = estimate(row, checkpoint=path, resume=True, **options)
    by_two = estimate(row, n_jobs=2, **options)
    assert broken.nfev < whole.nfev
    assert seen[0].scores.shape == (len(seen[0].population),)
    for other in (resumed, by_two):
        assert other.probability == whole.probability
        assert other.modes.rows == whole.modes.rows
        assert other.nfev == whole.nfev


@pytest.mark.slow
def test_a_surrogate_is_resumed_as_it_was(tmp_path):
    def stop(intermediate_result):
        return intermediate_result.nfev > 30

    options = {"performance": lambda X: X[:, :2], "max_evaluations": 45, "level": [2.6, 2.6]}
    whole = estimate(**options)
    estimate(checkpoint=tmp_path / "run", callback=stop, **options)
    resumed = estimate(checkpoint=tmp_path / "run", resume=True, **options)
    assert "surrogate" in whole.message
    assert resumed.probability == whole.probability
    assert resumed.modes.rows == whole.modes.rows


@pytest.mark.slow
def test_rows_that_take_too_long_are_nan():
    e = cem.estimate_probability(
        slow_corner,
        INPUTS,
        [1.0, 1.0],
        system="series",
        max_evaluations=8,
        evaluation_timeout=0.2,
        rng=3,
    )
    assert 0 < e.nan_probability < 1
    assert e.nfev == 8


@pytest.mark.slow
def test_what_is_said_of_modes():
    e = estimate(level=scaled(LEVELS), max_evaluations=1500, method="improved")
    assert "Modes\n" in e.report()
    assert "<td>g2</td>" in e.report(html=True)
    found = json.loads(json.dumps(e.to_dict()))["modes"]["rows"]
    assert [row["name"] for row in found] == ["g0", "g1", "g2"]
    assert math.isclose(found[0]["probability"], e.modes["g0"].probability)
    assert repr(e.modes).startswith("mode ")
    assert list(e.modes.to_frame().columns) == ["name", "probability", "standard_error", "share"]
    pytest.importorskip("matplotlib")
    drawn = e.plot().figure.axes[1].texts
    assert [text.get_text() for text in drawn] == ["g0", "g1", "g2"]
    assert cem.estimate_probability(load, INPUTS, 2.0, rng=1).modes is None


# --- what is refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("performance", "options", "match"),
    [
        ([load, heat], {"system": None}, 'system="series"'),
        (load, {"system": None, "level": [1, 2]}, 'system="series"'),
        (lambda x: x[:2], {"system": None}, 'system="series"'),
        (lambda X: X[:, :2], {"system": None, "vectorized": True}, 'system="series"'),
        ([], {}, "two limit states"),
        ([load], {}, "two limit states"),
        ({}, {}, "two limit states"),
        ([load, heat], {"level": [1, 2, 3]}, r"limit states \(2\); got 3"),
        (load, {}, "returns one number"),
        (lambda X: X[:, 0], {"vectorized": True}, "returns one number"),
        (lambda x: x, {"level": [1, 2]}, "must return 2 numbers for a candidate, got 3"),
        (lambda X: X, {"level": [1, 2], "vectorized": True}, r"shape \(150, 2\), got \(150, 3\)"),
        ([load, heat], {"system": "both"}, "series"),
        ([load, heat], {"level": math.nan}, "finite"),
        ([load, heat], {"level": None}, "missing"),
        ([load, heat], {"system": lambda m: m.sum(axis=1)}, "alone"),
        ([load, heat], {"system": lambda m: m}, "n numbers"),
    ],
)
def test_what_does_not_fit(performance, options, match):
    with pytest.raises(ValueError, match=match):
        estimate(performance, **({"vectorized": False} | options))


@pytest.mark.parametrize(
    ("performance", "options", "match"),
    [
        ([load, 3], {}, "limit state g1 must be callable"),
        ([load, heat], {"system": lambda m: m[:, 0] >= 0}, "np.maximum"),
        (lambda x: "ab", {}, "real numbers"),
    ],
)
def test_what_is_of_the_wrong_kind(performance, options, match):
    with pytest.raises(TypeError, match=match):
        estimate(performance, **({"vectorized": False} | options))


def test_names_are_distinct():
    _, system = read_system([load, load], 1.0, "upper", "series", False)
    assert system.names == ("g0", "g1")


@pytest.mark.slow
def test_few_evaluations():
    e = estimate(lambda X: X[:, :2], level=[2.6, 3.0], method="surrogate", target_cv=0.1)
    low, high = e.confidence_interval()
    p = SF(np.array([2.6, 3.0]))
    assert low <= 1 - np.prod(1 - p) <= high
    assert e.success
    assert e.nfev < 100
    assert all(abs(m.probability - q) < 4 * m.standard_error for m, q in zip(e.modes, p, strict=True))
