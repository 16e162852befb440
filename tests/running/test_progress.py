"""A bar of what a run has spent, and what is said where tqdm is not installed."""

import re
import sys
import time

import numpy as np
import pytest

import cem
from cem.core.budget import Budget
from cem.running.bar import Bar, shown
from cem.running.reporting import Progress


def sphere(x):
    return float((x**2).sum())


def optimize(**options):
    return cem.optimize(
        sphere, bounds=[(-2, 3)] * 2, method="textbook", max_evaluations=500, rng=1, **options
    )


class Kept:
    """Stands in for tqdm: keeps what it is told."""

    def __init__(self):
        self.n, self.seen, self.description, self.postfix = 0, [], "", ""

    def set_description_str(self, text, refresh):
        self.description = text

    def set_postfix_str(self, text, refresh):
        self.postfix = text

    def update(self, by):
        self.n += by
        self.seen.append((self.n, self.description, self.postfix))


def test_a_bar_shows_the_evaluations_and_changes_nothing(capsys):
    pytest.importorskip("tqdm")
    seen = []
    result = optimize(progress=True, callback=lambda r: seen.append(r.nfev))
    np.testing.assert_array_equal(result.x, optimize().x)
    assert "500/500 evaluations [" in capsys.readouterr().err
    assert seen == result.history.nfev.tolist()


def test_the_nearest_limit_is_the_length():
    bar = Bar(Kept(), Budget(max_evaluations=1000, max_iterations=10, max_time=100.0))
    bar.move(500, 1, 2.0)
    bar.move(600, 9, 2.0)
    bar.move(610, 9, 95.0)
    bar.move(2000, 9, 95.0)
    lengths, texts, _ = zip(*bar.shown.seen, strict=True)
    np.testing.assert_allclose(lengths, [0.5, 0.9, 0.95, 1.0])
    assert texts == (
        "500/1000 evaluations",
        "600 evaluations, 9/10 iterations",
        "610 evaluations, 95/100 s",
        "1000/1000 evaluations",
    )


def test_without_a_limit_it_only_counts():
    bar = Bar(Kept(), Budget())
    bar.move(500, 1, 2.0)
    assert bar.shown.seen == [(500, "500 evaluations", "")]


def test_numbers_that_are_none_are_not_shown():
    bar = Bar(Kept(), Budget())
    for best, level, text in [
        (np.nan, 3.0, "level 3"),
        (-np.inf, np.nan, ""),
        (2.0, 3.0, "best 2, level 3"),
    ]:
        bar.tell(Progress(None, None, None, 1, level, best))
        assert bar.shown.postfix == text
    bar.tell(Progress(None, None, None, 1, np.nan, np.nan, lambda: "run 2"))
    assert bar.shown.postfix == "run 2"
    bar.tell(Progress(None, None, None, 1, np.nan, 1.0))
    assert bar.shown.postfix == "best 1, run 2"


def test_a_default_limit_is_not_counted_to(capsys):
    pytest.importorskip("tqdm")
    cem.optimize(sphere, bounds=[(-2, 3)] * 2, progress=True, rng=1)
    cem.estimate_probability(np.sum, cem.Exponential([1.0, 1.0]), 6, progress=True, rng=1)
    said = capsys.readouterr().err
    assert "/" not in said
    assert "%" not in said


@pytest.mark.slow
def test_it_moves_within_an_iteration(capsys):
    pytest.importorskip("tqdm")

    def slow(x):
        time.sleep(0.06)
        return sphere(x)

    cem.optimize(
        slow, bounds=[(-2, 3)] * 2, method="textbook", population=20, max_evaluations=20, progress=True, rng=1
    )
    said = capsys.readouterr().err
    counts = {int(n) for n in re.findall(r"(\d+)/20 evaluations", said)}
    assert counts - {0, 20}, said


@pytest.mark.parametrize("method", ["improved", "multilevel"])
def test_it_says_what_an_estimate_waits_for(method, capsys):
    pytest.importorskip("tqdm")
    cem.estimate_probability(np.sum, cem.Exponential([1.0, 1.0]), 9, method=method, progress=True, rng=1)
    said = capsys.readouterr().err
    assert re.search(r"P 0\.00\d+ in \[0\.00\d+, 0\.00\d+\], cv 0\.0\d+, target cv 0\.05", said), said
    assert "nan" not in said


STARTS = {
    "continuous": {"start": None, "bounds": [(-2, 3)] * 2, "polish": False, "restarts": None},
    "strings": {"start": cem.Bernoulli([0.5] * 16)},
    "orders": {"start": cem.Permutation(12)},
}


def test_it_says_how_many_looks_found_nothing_better(monkeypatch):
    said = []
    monkeypatch.setattr(Bar, "tell", lambda self, progress: said.append(progress.awaiting()))
    pytest.importorskip("tqdm")
    cem.optimize(sphere, bounds=[(-2, 3)] * 2, progress=True, rng=1)
    assert said[-1] == "100 looks in a row found nothing better, 100 must"


@pytest.mark.slow
@pytest.mark.parametrize("kind", STARTS)
def test_it_says_which_runs_agree(kind, monkeypatch):
    said = []
    monkeypatch.setattr(Bar, "tell", lambda self, progress: said.append(progress.awaiting()))
    pytest.importorskip("tqdm")
    order = np.arange(12)

    def away(x):
        return float(np.abs(x - order).sum())

    fun = away if kind == "orders" else sphere
    r = cem.optimize(fun, progress=True, rng=1, **STARTS[kind])
    runs = [int(n) for text in said for n in re.findall(r"^run (\d+)", text)]
    assert runs == sorted(runs)
    agreed = int(re.match(r"\d+", r.message)[0])
    assert max(runs) == agreed
    last = next(text for text in reversed(said) if text.startswith("run"))
    assert re.fullmatch(rf"run {agreed}: {agreed - 1} of {agreed - 1} runs agree, {agreed} must", last)


def test_estimates_have_one_too(capsys):
    pytest.importorskip("tqdm")
    normal = cem.Gaussian([0.0], std=1)
    cem.estimate_quantile(sphere, normal, 1e-2, progress=True, rng=1)
    assert "evaluations [" in capsys.readouterr().err


def test_without_tqdm_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with pytest.raises(ImportError, match=r"pip install cemkit\[progress\]"):
        optimize(progress=True)
    assert optimize(progress=False).nfev == 500
    with pytest.raises(TypeError, match="progress must be"), shown("yes", Budget()):
        pass
