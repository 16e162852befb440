"""Ask and tell: the loop by hand, and its files."""

import json
import os
import pickle

import numpy as np
import pytest
from helpers import assert_same_arrays, assert_same_history
from scipy.optimize import Bounds

import cem
from cem import CrossEntropyMethod

BOX = [(-2.0, 3.0)] * 3


def sphere(X):
    return np.sum((X - 0.5) ** 2, axis=1)


def steps(method, n, score=sphere):
    for _ in range(n):
        X = method.ask()
        method.tell(X, score(X))
    return method


def assert_same(a, b):
    """Bit for bit the same state and past; only the times may differ."""
    assert_same_arrays(a.family, b.family)
    np.testing.assert_array_equal(a.best_x, b.best_x)
    assert a.best_fun == b.best_fun or np.isnan([a.best_fun, b.best_fun]).all()
    assert a.stop_reason() == b.stop_reason()
    assert_same_history(a.history, b.history)


# --- the same path as optimize ----------------------------------------------------------------------

RUNS = {
    "box": (sphere, {"bounds": BOX}),
    "point in a box": (sphere, {"start": [1.0, 1.0, 1.0], "bounds": BOX}),
    "free point": (sphere, {"start": [1.0, 1.0, 1.0]}),
    "correlated": (sphere, {"start": cem.Gaussian([1.0, 1.0], covariance=[[2.0, 1.0], [1.0, 2.0]])}),
    "population": (sphere, {"bounds": BOX, "population": 37, "elite_fraction": 0.3}),
    "update": (sphere, {"bounds": BOX, "update": cem.updates.SmoothedFit(0.8, decay=5.0)}),
    "binary": (lambda X: -X.sum(axis=1), {"start": cem.Bernoulli([0.5] * 20)}),
    "categories": (lambda X: -X.sum(axis=1), {"start": cem.Categorical([[0.2, 0.8], [0.3, 0.3, 0.4]] * 9)}),
    "positive": (sphere, {"start": cem.Exponential([1.0, 2.0])}),
    "maximised": (lambda X: -sphere(X), {"bounds": BOX, "maximize": True}),
    "half NaN": (lambda X: np.where(X[:, 0] > 1, np.nan, sphere(X)), {"bounds": BOX}),
}


@pytest.mark.parametrize("run", RUNS)
def test_it_takes_the_path_of_optimize(run):
    score, options = RUNS[run]
    r = cem.optimize(score, vectorized=True, rng=11, max_iterations=8, method="textbook", **options)
    m = steps(CrossEntropyMethod(rng=11, **options), 8, score)
    discrete = r.x.dtype.kind == "i"  # there, optimize asks about no candidate twice
    for column in set(r.history.columns) - ({"seconds", "nfev"} if discrete else {"seconds"}):
        np.testing.assert_array_equal(getattr(m.history, column), getattr(r.history, column))
    assert m.history.nfev[-1] > r.nfev if discrete else m.history.nfev[-1] == r.nfev
    for key, value in r.family.to_arrays().items():
        np.testing.assert_array_equal(m.family.to_arrays()[key], value)
    np.testing.assert_array_equal(m.best_x, r.x)
    assert m.best_fun == r.fun


def test_it_stops_where_optimize_does():
    r = cem.optimize(sphere, bounds=BOX, vectorized=True, method="textbook", rng=1)
    m = CrossEntropyMethod(bounds=BOX, rng=1)
    while m.stop_reason() is None:
        steps(m, 1)
    assert len(m.history) == r.nit
    assert r.message.startswith(m.stop_reason())
    np.testing.assert_array_equal(m.family.mean, r.family.mean)


# --- ask --------------------------------------------------------------------------------------------


def test_each_ask_is_a_new_batch():
    m = CrossEntropyMethod(bounds=BOX, population=20, rng=1)
    batches = [m.ask() for _ in range(5)]
    assert len(np.unique(np.concatenate(batches), axis=0)) == 100


def test_a_batch_is_read_only():
    for start in (None, cem.Bernoulli([0.5] * 3)):
        X = CrossEntropyMethod(start, bounds=None if start else BOX, rng=1).ask()
        with pytest.raises(ValueError, match="read-only"):
            X[0, 0] = 0


def test_discrete_batches_are_int64():
    assert CrossEntropyMethod(cem.Bernoulli([0.5] * 3), rng=1).ask().dtype == np.int64


@pytest.mark.parametrize("bounds", [BOX, Bounds([-2.0] * 3, [3.0] * 3)], ids=["pairs", "scipy"])
def test_a_batch_lies_within_the_bounds(bounds):
    m = CrossEntropyMethod(cem.Gaussian([3.0, 0.0, -2.0], std=10.0), bounds=bounds, population=500, rng=1)
    for _ in range(3):
        X = m.ask()
        assert X.min() >= -2
        assert X.max() <= 3
        m.tell(X, X[:, 0])


def test_the_size_of_a_batch():
    assert CrossEntropyMethod(bounds=BOX, population=33).ask().shape == (33, 3)


def test_asking_changes_nothing_but_the_next_batch():
    m = CrossEntropyMethod(bounds=BOX, rng=1)
    before = m.family
    m.ask()
    assert m.family is before
    assert len(m.history) == 0


# --- tell -------------------------------------------------------------------------------------------


def test_rows_may_come_in_any_order():
    m, shuffled = (CrossEntropyMethod(bounds=BOX, rng=1) for _ in range(2))
    X = m.ask()
    m.tell(X, sphere(X))
    order = np.random.default_rng(0).permutation(len(X))
    shuffled.tell(X[order], sphere(X[order]))
    np.testing.assert_allclose(shuffled.family.mean, m.family.mean, rtol=1e-12)
    np.testing.assert_allclose(shuffled.family.std, m.family.std, rtol=1e-12)
    np.testing.assert_array_equal(shuffled.best_x, m.best_x)


def test_batches_may_come_in_any_order():
    """Asynchronous evaluation: three batches are out, and come back last first."""
    m = CrossEntropyMethod(bounds=BOX, rng=1)
    batches = [m.ask() for _ in range(3)]
    for X in reversed(batches):
        m.tell(X, sphere(X))
    assert len(m.history) == 3
    assert m.best_fun == min(sphere(X).min() for X in batches)


def test_a_part_of_a_batch_teaches_what_it_can():
    m = CrossEntropyMethod(bounds=BOX, rng=1)
    X = m.ask()[:40]
    start = m.family
    m.tell(X, sphere(X))
    elites = X[np.argsort(sphere(X))[:4]]
    np.testing.assert_allclose(m.family.mean, start.blend(start.fit(elites), 0.7).mean, rtol=1e-12)
    assert m.history.elites.tolist() == [4]
    assert m.history.nfev.tolist() == [40]


def test_own_rows_teach_as_asked_ones_do():
    m = CrossEntropyMethod(bounds=BOX, rng=1)
    rows = [[0.5, 0.5, 0.5], [0.6, 0.5, 0.4], [2.0, 2.0, 2.0], [0.0, 0.0, 1.0]]
    m.tell(rows, [0.0, 0.1, 9.0, 2.0])
    np.testing.assert_array_equal(m.best_x, rows[0])
    assert m.best_fun == 0
    np.testing.assert_allclose(m.family.mean, 0.5)


def test_the_best_so_far_is_kept():
    m = CrossEntropyMethod(bounds=BOX, rng=1)
    m.tell([[1.0, 0, 0], [2.0, 0, 0]], [3.0, 2.0])
    m.tell([[0.5, 0, 0], [0.1, 0, 0]], [7.0, 8.0])
    np.testing.assert_array_equal(m.best_x, [2.0, 0, 0])
    assert m.best_fun == 2.0
    m.tell([[0.7, 0, 0], [0.8, 0, 0]], [np.nan, -1.0])
    np.testing.assert_array_equal(m.best_x, [0.8, 0, 0])
    assert m.history.best.tolist() == [2.0, 2.0, -1.0]


def test_the_best_does_not_follow_the_users_rows():
    m = CrossEntropyMethod(bounds=BOX, rng=1)
    rows = np.ones((5, 3))
    m.tell(rows, np.arange(5.0))
    rows[:] = 7
    np.testing.assert_array_equal(m.best_x, [1, 1, 1])


def test_maximising_is_minimising_the_negative():
    down = steps(CrossEntropyMethod(bounds=BOX, rng=1), 5)
    up = steps(CrossEntropyMethod(bounds=BOX, rng=1, maximize=True), 5, lambda X: -sphere(X))
    np.testing.assert_array_equal(up.family.mean, down.family.mean)
    np.testing.assert_array_equal(up.history.level, -down.history.level)
    np.testing.assert_array_equal(up.history.best, -down.history.best)
    assert up.best_fun == -down.best_fun


def test_nan_ranks_last_and_is_counted():
    m = CrossEntropyMethod(bounds=BOX, rng=1)
    X = m.ask()
    scores = np.where(np.arange(100) % 2, np.nan, sphere(X))
    m.tell(X, scores)
    assert m.history.nan_count.tolist() == [50]
    assert m.best_fun == np.nanmin(scores)
    assert m.history.elites.tolist() == [10]


def test_scores_that_are_all_nan_teach_nothing():
    m = CrossEntropyMethod(bounds=BOX, rng=1)
    before = m.family
    m.tell(m.ask(), np.full(100, np.nan))
    assert m.family is before
    assert m.best_x is None
    assert np.isnan(m.best_fun)
    assert m.stop_reason() is None
    assert len(m.history) == 1


def test_before_anything_is_told():
    m = CrossEntropyMethod(bounds=BOX, rng=1)
    assert m.best_x is None
    assert np.isnan(m.best_fun)
    assert m.stop_reason() is None
    assert len(m.history) == 0
    assert "0 iterations" in repr(m)


def test_telling_does_not_change_what_was_told():
    m = CrossEntropyMethod(bounds=BOX, rng=1)
    rows, scores = np.random.default_rng(0).random((50, 3)), np.arange(50.0)
    before = rows.copy(), scores.copy()
    m.tell(rows, scores)
    np.testing.assert_array_equal(rows, before[0])
    np.testing.assert_array_equal(scores, before[1])
    assert rows.flags.writeable


@pytest.mark.parametrize(
    ("rows", "scores", "error", "message"),
    [
        (np.zeros((4, 2)), np.zeros(4), ValueError, r"shape \(n, 3\), one candidate a row; got \(4, 2\)"),
        (np.zeros(3), np.zeros(1), ValueError, r"shape \(n, 3\)"),
        (np.zeros((4, 3)), np.zeros(3), ValueError, r"scores must have shape \(4,\).*got \(3,\)"),
        (np.zeros((4, 3)), np.zeros((4, 1)), ValueError, r"scores must have shape \(4,\)"),
        (np.zeros((4, 3)), 1.0, ValueError, r"scores must have shape \(4,\)"),
        (np.zeros((4, 3)), np.zeros(4) + 0j, TypeError, "real numbers"),
        (np.zeros((4, 3)), ["a"] * 4, TypeError, "real numbers"),
        (np.zeros((4, 3)), [None] * 4, TypeError, "real numbers"),
        (np.zeros((1, 3)), np.zeros(1), ValueError, "Gaussian takes at least 2 rows, got 1"),
        (np.zeros((0, 3)), np.zeros(0), ValueError, "at least 2 rows, got 0"),
    ],
)
def test_what_cannot_be_learned_from_is_told(rows, scores, error, message):
    m = CrossEntropyMethod(bounds=BOX, rng=1)
    before = m.family
    with pytest.raises(error, match=message):
        m.tell(rows, scores)
    assert m.family is before
    assert len(m.history) == 0


def test_stop_reason_says_why():
    m = CrossEntropyMethod(bounds=BOX, rng=1)
    for t in range(5):
        assert m.stop_reason() is None, t
        m.tell(m.ask(), np.zeros(100))
    assert "agree" in m.stop_reason()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({}, ValueError, "bounds="),
        ({"start": [(-1, 1)] * 3}, ValueError, "looks like bounds"),
        ({"bounds": [(1, -1)]}, ValueError, "inverted"),
        ({"bounds": BOX, "elite_fraction": 1.0}, ValueError, "elite_fraction"),
        ({"bounds": BOX, "population": 0}, ValueError, "population"),
        ({"bounds": BOX, "population": 5}, ValueError, "population of 5 has 1 elites"),
        ({"bounds": BOX, "rng": "1"}, TypeError, "rng must be"),
        ({"bounds": BOX, "update": "fast"}, TypeError, "update must have"),
    ],
)
def test_bad_arguments(options, error, message):
    with pytest.raises(error, match=message):
        CrossEntropyMethod(**options)


# --- save and load ----------------------------------------------------------------------------------

SAVED = RUNS | {
    "seed sequence": (
        sphere,
        {"bounds": BOX, "rng": np.random.SeedSequence([1, 2**70], spawn_key=(3, 1))},
    ),
    "generator": (sphere, {"bounds": BOX, "rng": np.random.default_rng(5)}),
    "tables": (lambda X: -X.sum(axis=1) % 5, {"start": cem.Categorical(np.full((30, 7), 1 / 7))}),
}


@pytest.mark.parametrize("run", SAVED)
def test_what_comes_after_load_is_bit_identical(run, tmp_path):
    score, options = SAVED[run]
    m = steps(CrossEntropyMethod(**({"rng": 11} | options)), 3, score)
    path = tmp_path / "state"
    m.save(path)
    loaded = CrossEntropyMethod.load(path)
    assert_same(loaded, m)
    for _ in range(4):
        X = m.ask()
        np.testing.assert_array_equal(loaded.ask(), X)
        for each in (m, loaded):
            each.tell(X, score(X))
        assert_same(loaded, m)


def test_a_batch_that_is_out_can_be_told_after_load(tmp_path):
    m = steps(CrossEntropyMethod(bounds=BOX, rng=1), 2)
    X = m.ask()
    m.save(tmp_path / "state")
    loaded = CrossEntropyMethod.load(tmp_path / "state")
    for each in (m, loaded):
        each.tell(X, sphere(X))
    assert_same(loaded, m)
    np.testing.assert_array_equal(loaded.ask(), m.ask())


def test_it_can_be_saved_before_anything_is_told(tmp_path):
    m = CrossEntropyMethod(bounds=BOX, rng=1)
    m.save(tmp_path / "state")
    loaded = CrossEntropyMethod.load(tmp_path / "state")
    assert_same(loaded, m)
    assert_same(steps(loaded, 3), steps(m, 3))


def test_it_can_be_saved_after_scores_that_are_all_nan(tmp_path):
    m = CrossEntropyMethod(bounds=BOX, rng=1)
    m.tell(m.ask(), np.full(100, np.nan))
    m.save(tmp_path / "state")
    assert_same(steps(CrossEntropyMethod.load(tmp_path / "state"), 2), steps(m, 2))


def test_a_stopped_method_is_stopped_after_load(tmp_path):
    m = steps(CrossEntropyMethod(bounds=BOX, rng=1), 5, lambda X: np.zeros(len(X)))
    m.save(tmp_path / "state")
    assert CrossEntropyMethod.load(tmp_path / "state").stop_reason() == m.stop_reason() is not None


def test_the_path_is_used_exactly_as_given(tmp_path):
    CrossEntropyMethod(bounds=BOX, rng=1).save(tmp_path / "state.cem")
    assert os.listdir(tmp_path) == ["state.cem"]


def test_the_time_goes_on_after_load(tmp_path):
    m = steps(CrossEntropyMethod(bounds=BOX, rng=1), 2)
    m.save(tmp_path / "state")
    loaded = steps(CrossEntropyMethod.load(tmp_path / "state"), 1)
    assert np.all(np.diff(loaded.history.seconds) > 0)


class Wordless:
    """A user's own family that does not say how it is written."""

    def __init__(self, means):
        self.means = np.maximum(np.asarray(means, dtype=float), 1.0)

    def sample(self, n, rng):
        return rng.geometric(1 / self.means, size=(n, len(self.means)))

    def log_prob(self, x):
        p = 1 / self.means
        return np.sum(np.log(p) + (x - 1) * np.log1p(-p), axis=1)

    def fit(self, x, weights=None):
        return type(self)(np.average(x, axis=0, weights=weights))

    def blend(self, other, rate):
        return type(self)((1 - rate) * self.means + rate * other.means)

    def entropy(self):
        return float(np.sum(np.log(self.means)))


class Geometric(Wordless):
    """One that does."""

    def to_arrays(self):
        return {"means": self.means}

    @classmethod
    def from_arrays(cls, arrays):
        return cls(arrays["means"])


def distance(X):
    return np.abs(X - 5).sum(axis=1)


def test_a_users_own_family_is_loaded_where_its_class_is_given(tmp_path):
    m = steps(CrossEntropyMethod(Geometric([3.0, 3.0]), rng=1), 2, distance)
    m.save(tmp_path / "state")
    loaded = CrossEntropyMethod.load(tmp_path / "state", own=[Geometric])
    assert_same(loaded, m)
    assert_same(steps(loaded, 2, distance), steps(m, 2, distance))


def test_a_users_own_family_is_asked_for(tmp_path):
    CrossEntropyMethod(Geometric([3.0]), rng=1).save(tmp_path / "state")
    with pytest.raises(ValueError, match=r"Geometric.*own=\[Geometric\]"):
        CrossEntropyMethod.load(tmp_path / "state")


def test_a_family_that_cannot_be_written_is_told(tmp_path):
    m = CrossEntropyMethod(Wordless([3.0]), rng=1)
    with pytest.raises(TypeError, match=r"Wordless.*to_arrays"):
        m.save(tmp_path / "state")
    assert os.listdir(tmp_path) == []


class Loose:
    """An update that is no dataclass."""

    def init(self, start):
        return cem.updates.SmoothedFit().init(start)

    def step(self, state, batch):
        return cem.updates.SmoothedFit().step(state, batch)


def test_an_update_that_cannot_be_written_is_told(tmp_path):
    m = steps(CrossEntropyMethod(bounds=BOX, update=Loose(), rng=1), 1)
    with pytest.raises(TypeError, match="Loose"):
        m.save(tmp_path / "state")
    assert os.listdir(tmp_path) == []


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(FileNotFoundError):
        CrossEntropyMethod.load(tmp_path / "state")


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.8, 0.99])
def test_a_truncated_file_is_told(tmp_path, share):
    path = tmp_path / "state"
    steps(CrossEntropyMethod(bounds=BOX, rng=1), 2).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match="damaged or was not saved by cem"):
        CrossEntropyMethod.load(path)


def test_a_foreign_file_is_told(tmp_path):
    path = tmp_path / "state.npz"
    np.savez(path, x=np.arange(3.0))
    with pytest.raises(ValueError, match="damaged or was not saved by cem"):
        CrossEntropyMethod.load(path)


class Trap:
    """Leaves a trace when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_pickle_is_told_and_never_run(tmp_path):
    path = tmp_path / "state"
    path.write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    with pytest.raises(ValueError, match="damaged"):
        CrossEntropyMethod.load(path)
    assert not (tmp_path / "sprung").exists()


@pytest.fixture
def opened(tmp_path):
    """A saved file taken apart, and how to put it together again."""
    path = tmp_path / "state"
    steps(CrossEntropyMethod(bounds=BOX, rng=1), 2).save(path)
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    header = json.loads(str(arrays.pop("header")))

    def load(header, arrays):
        with path.open("wb") as file:
            np.savez(file, header=np.array(json.dumps(header)), **arrays)
        return CrossEntropyMethod.load(path)

    load(header, arrays)  # as it was: no error
    return header, arrays, load


def test_an_array_with_a_pickle_inside_is_told_and_never_run(opened, tmp_path):
    header, arrays, load = opened
    trap = np.array([Trap(tmp_path / "sprung")], dtype=object)
    with pytest.raises(ValueError, match="damaged"):
        load(header, arrays | {"family/mean": trap})
    assert not (tmp_path / "sprung").exists()


def test_a_file_without_one_of_its_arrays_is_told(opened):
    header, arrays, load = opened
    for name in arrays:
        with pytest.raises(ValueError, match="state is damaged"):
            load(header, {key: value for key, value in arrays.items() if key != name})


def test_a_header_without_one_of_its_entries_is_told(opened):
    header, arrays, load = opened
    for name in header:
        with pytest.raises(ValueError, match="damaged"):
            load({key: value for key, value in header.items() if key != name}, arrays)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "other"},
        {"version": 10**6},
        {"family": "os.system"},
        {"family": "Family"},
        {"family": "SmoothedFit"},
        {"update": {"name": "os.system", "parameters": {}}},
        {"update": {"name": "Gaussian", "parameters": {}}},
        {"update": {"name": "SmoothedFit", "parameters": {"rate": 7.0}}},
        {"update": {"name": "SmoothedFit", "parameters": {"pace": 0.7}}},
    ],
    ids=lambda change: str(change)[:50],
)
def test_a_header_with_a_wrong_entry_is_told(opened, change):
    header, arrays, load = opened
    with pytest.raises(ValueError, match="state"):
        load(header | change, arrays)


def test_arrays_that_do_not_fit_together_are_told(opened):
    header, arrays, load = opened
    with pytest.raises(ValueError, match="damaged or incomplete"):
        load(header, arrays | {"history/nfev": arrays["history/nfev"][:1]})
    with pytest.raises(ValueError, match="damaged or incomplete"):
        load(header, arrays | {"family/mean": np.zeros((3, 3))})
