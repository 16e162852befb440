"""Ask and tell: saved and loaded."""

import json
import os
import pickle

import numpy as np
import pytest
from helpers import ASK_TELL_RUNS, CUBE, assert_same_arrays, assert_same_history, bowl_rows, steps

import cem
from cem import CrossEntropyMethod


def assert_same(a, b):
    """Bit for bit the same state and past; only the times may differ."""
    assert_same_arrays(a.family, b.family)
    np.testing.assert_array_equal(a.best_x, b.best_x)
    assert a.best_fun == b.best_fun or np.isnan([a.best_fun, b.best_fun]).all()
    assert a.stop_reason() == b.stop_reason()
    assert_same_history(a.history, b.history)


PAIR = cem.Product(size=cem.Gaussian([0.0, 1.0], std=[1.0, 2.0]), kind=cem.Categorical([[0.5, 0.3, 0.2]]))
LINKED = cem.Product(chance=cem.Exponential([1.0, 2.0]), route=cem.Bernoulli([0.5] * 6))

SAVED = ASK_TELL_RUNS | {
    "numbers and labels": (bowl_rows, {"start": PAIR}),
    "other parts": (bowl_rows, {"start": LINKED}),
    "seed sequence": (
        bowl_rows,
        {"bounds": CUBE, "rng": np.random.SeedSequence([1, 2**70], spawn_key=(3, 1))},
    ),
    "generator": (bowl_rows, {"bounds": CUBE, "rng": np.random.default_rng(5)}),
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
    m = steps(CrossEntropyMethod(bounds=CUBE, rng=1), 2)
    X = m.ask()
    m.save(tmp_path / "state")
    loaded = CrossEntropyMethod.load(tmp_path / "state")
    for each in (m, loaded):
        each.tell(X, bowl_rows(X))
    assert_same(loaded, m)
    np.testing.assert_array_equal(loaded.ask(), m.ask())


def test_it_can_be_saved_before_anything_is_told(tmp_path):
    m = CrossEntropyMethod(bounds=CUBE, rng=1)
    m.save(tmp_path / "state")
    loaded = CrossEntropyMethod.load(tmp_path / "state")
    assert_same(loaded, m)
    assert_same(steps(loaded, 3), steps(m, 3))


def test_it_can_be_saved_after_scores_that_are_all_nan(tmp_path):
    m = CrossEntropyMethod(bounds=CUBE, rng=1)
    m.tell(m.ask(), np.full(100, np.nan))
    m.save(tmp_path / "state")
    assert_same(steps(CrossEntropyMethod.load(tmp_path / "state"), 2), steps(m, 2))


def test_a_stopped_method_is_stopped_after_load(tmp_path):
    m = steps(CrossEntropyMethod(bounds=CUBE, rng=1), 5, lambda X: np.zeros(len(X)))
    m.save(tmp_path / "state")
    assert CrossEntropyMethod.load(tmp_path / "state").stop_reason() == m.stop_reason() is not None


def test_the_path_is_used_exactly_as_given(tmp_path):
    CrossEntropyMethod(bounds=CUBE, rng=1).save(tmp_path / "state.cem")
    assert os.listdir(tmp_path) == ["state.cem"]


def test_the_time_goes_on_after_load(tmp_path):
    m = steps(CrossEntropyMethod(bounds=CUBE, rng=1), 2)
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
    m = steps(CrossEntropyMethod(bounds=CUBE, update=Loose(), rng=1), 1)
    with pytest.raises(TypeError, match="Loose"):
        m.save(tmp_path / "state")
    assert os.listdir(tmp_path) == []


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(FileNotFoundError):
        CrossEntropyMethod.load(tmp_path / "state")


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.8, 0.99])
def test_a_truncated_file_is_told(tmp_path, share):
    path = tmp_path / "state"
    steps(CrossEntropyMethod(bounds=CUBE, rng=1), 2).save(path)
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
    steps(CrossEntropyMethod(bounds=CUBE, rng=1), 2).save(path)
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
