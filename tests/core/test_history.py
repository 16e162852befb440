"""The history: an iteration a row, a named array a column."""

import copy
import pickle
import sys

import numpy as np
import pytest

import cem
from cem.core.history import History, Row

COLUMNS = ("stage", "level", "best", "mean", "elites", "entropy", "nfev", "nan_count", "seconds", "note")
COLUMNS += ("probability", "cv", "low", "high")
ROWS = [
    Row("sampling", 3.0, 2.0, 5.5, 10, 1.5, 100, 0, 0.25),
    Row("sampling", 2.5, 2.0, 4.0, 10, 0.5, 200, 7, 0.5),
    Row("polish", np.nan, 1.0, np.nan, 0, np.nan, 230, 0, 0.75),
    Row("measure", 3.0, 1.0, 2.0, 9, 1.0, 300, 0, 1.0, "", 0.01, 0.3, 0.004, 0.016),
]
WHOLE = ("elites", "nfev", "nan_count")


@pytest.fixture
def history():
    return History(ROWS)


# --- columns ----------------------------------------------------------------------------------------


def test_the_columns_of_the_design():
    assert History.columns == COLUMNS


def test_its_length_is_the_number_of_iterations(history):
    assert len(history) == 4
    assert len(History()) == 0


@pytest.mark.parametrize("column", COLUMNS)
def test_each_column_is_a_named_array(history, column):
    array = getattr(history, column)
    assert isinstance(array, np.ndarray)
    assert array.shape == (4,)
    assert array.tolist() == pytest.approx([getattr(row, column) for row in ROWS], nan_ok=True)


@pytest.mark.parametrize("column", COLUMNS)
def test_an_empty_column_has_the_kind_of_a_full_one(history, column):
    empty = getattr(History(), column)
    assert empty.shape == (0,)
    assert empty.dtype.kind == getattr(history, column).dtype.kind


def test_kinds_of_columns(history):
    kinds = {column: getattr(history, column).dtype.kind for column in COLUMNS}
    assert kinds == {
        column: "U" if column in ("stage", "note") else "i" if column in WHOLE else "f" for column in COLUMNS
    }


def test_rows_by_number(history):
    assert history[0] == ROWS[0]
    assert history[2].stage == "polish"


def test_an_unknown_column_is_told(history):
    with pytest.raises(AttributeError, match=r"level.*not 'levels'"):
        _ = history.levels


def test_writing_to_a_column_does_not_change_the_history(history):
    history.level[0] = -1
    assert history.level[0] == 3.0


# --- copies -----------------------------------------------------------------------------------------


def test_a_copy_does_not_grow(history):
    kept = history.copy()
    history.append(ROWS[0])
    assert (len(kept), len(history)) == (4, 5)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda h: pickle.loads(pickle.dumps(h))])
def test_it_can_be_duplicated(history, duplicate):
    np.testing.assert_array_equal(duplicate(history).level, history.level)


@pytest.mark.parametrize("n", [0, 1, 4])
def test_arrays_rebuild_it(n):
    before = History(ROWS[:n])
    after = History.from_arrays(before.to_arrays())
    assert len(after) == n
    for column in COLUMNS:
        np.testing.assert_array_equal(getattr(after, column), getattr(before, column))
        assert getattr(after, column).dtype.kind == getattr(before, column).dtype.kind


def test_arrays_of_a_version_without_measurements_are_read():
    arrays = {name: array for name, array in History(ROWS).to_arrays().items() if name in COLUMNS[:10]}
    after = History.from_arrays(arrays)
    assert after.level.tolist() == pytest.approx(History(ROWS).level.tolist(), nan_ok=True)
    assert np.isnan(after.cv).all()
    with pytest.raises(KeyError, match="level"):
        History.from_arrays({name: arrays[name] for name in arrays if name != "level"})


def test_arrays_of_unequal_length_are_refused():
    arrays = History(ROWS).to_arrays()
    with pytest.raises(ValueError, match="shorter"):
        History.from_arrays(arrays | {"nfev": arrays["nfev"][:-1]})


# --- frames -----------------------------------------------------------------------------------------


def test_a_frame_has_an_iteration_a_row(history):
    pytest.importorskip("pandas")
    frame = history.to_frame()
    assert list(frame.columns) == list(COLUMNS)
    assert frame.index.tolist() == [1, 2, 3, 4]
    assert frame.index.name == "iteration"
    np.testing.assert_array_equal(frame["level"], history.level)


def test_a_frame_of_nothing_is_empty():
    pytest.importorskip("pandas")
    frame = History().to_frame()
    assert len(frame) == 0
    assert list(frame.columns) == list(COLUMNS)


def test_without_pandas_it_says_what_to_install(history, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"pandas.*pip install"):
        history.to_frame()


def test_it_prints_readably(history):
    assert repr(history) == "History(4 iterations, last: level=3, best=1)"
    assert repr(History()) == "History(no iterations)"


# --- what a run writes ------------------------------------------------------------------------------


def half_nan(x):
    return np.nan if x[0] > 0 else float(x @ x)


@pytest.mark.parametrize("maximize", [False, True])
def test_every_column_of_a_run_can_be_recomputed(maximize):
    """From the batches and families that the callback saw, in the user's sign."""
    seen = []

    def fun(x):
        value = half_nan(x)
        return -value if maximize else value

    cem_result = cem.optimize(
        fun,
        bounds=[(-3, 1)] * 2,
        population=150,
        elite_fraction=0.07,
        maximize=maximize,
        max_iterations=6,
        callback=lambda intermediate_result: seen.append(intermediate_result),
        rng=1,
    )
    history = cem_result.history
    assert len(history) == len(seen) == 6
    best = -np.inf if maximize else np.inf
    for t, each in enumerate(seen):
        finite = each.scores[~np.isnan(each.scores)]
        assert finite.size < 150
        ranked = np.sort(finite)[::-1] if maximize else np.sort(finite)
        best = max(best, ranked[0]) if maximize else min(best, ranked[0])
        assert history.level[t] == ranked[10], "11 elites: 0.07 · 150 rounded up"
        assert history.best[t] == best
        assert history.mean[t] == pytest.approx(finite.mean())
        assert history.elites[t] == 11
        assert history.nan_count[t] == 150 - finite.size
        assert history.nfev[t] == 150 * (t + 1)
        assert history.entropy[t] == each.family.entropy()
        assert history.stage[t] == "sampling"
    assert np.all(np.diff(history.seconds) >= 0)
    assert history.seconds[0] > 0


def test_a_history_that_a_callback_keeps_does_not_grow():
    kept = []
    cem.optimize(
        half_nan,
        bounds=[(-3, 1)],
        max_iterations=3,
        callback=lambda intermediate_result: kept.append(intermediate_result.history),
        rng=1,
    )
    assert [len(history) for history in kept] == [1, 2, 3]


# --- entropies that take time -----------------------------------------------------------------------


class Costly:
    """A distribution that counts how often it is made."""

    def __init__(self):
        self.made = 0

    def __call__(self):
        self.made += 1
        return cem.Bernoulli([0.5, 0.5])


def test_a_distribution_is_made_when_somebody_looks_at_its_entropy():
    history, costly = History(), Costly()
    history.append(ROWS[0]._replace(entropy=np.nan), fitted=costly)
    history.append(ROWS[1])
    assert history.best.tolist() == [2.0, 2.0]
    assert costly.made == 0
    assert history.entropy.tolist() == [pytest.approx(2 * np.log(2)), 0.5]
    assert history[0].entropy == history.copy().entropy[0] == history.entropy[0]
    assert costly.made == 1


@pytest.mark.parametrize("again", [lambda h: pickle.loads(pickle.dumps(h)), copy.deepcopy, copy.copy])
def test_copies_have_every_entropy(again):
    history = History()
    history.append(ROWS[0], fitted=lambda: cem.Bernoulli([0.5]))
    assert again(history).entropy.tolist() == [pytest.approx(np.log(2))]
