"""A bar of evaluations, and what is said where tqdm is not installed."""

import sys

import numpy as np
import pytest

import cem


def sphere(x):
    return float((x**2).sum())


def optimize(**options):
    return cem.optimize(
        sphere, bounds=[(-2, 3)] * 2, method="textbook", max_evaluations=500, rng=1, **options
    )


def test_a_bar_shows_the_evaluations_and_changes_nothing(capsys):
    pytest.importorskip("tqdm")
    seen = []
    result = optimize(progress=True, callback=lambda r: seen.append(r.nfev))
    np.testing.assert_array_equal(result.x, optimize().x)
    assert "/500 [" in capsys.readouterr().err
    assert seen == result.history.nfev.tolist()


def test_estimates_have_one_too(capsys):
    pytest.importorskip("tqdm")
    normal = cem.Gaussian([0.0], std=1)
    cem.estimate_probability(sphere, normal, 9, progress=True, rng=1)
    cem.estimate_quantile(sphere, normal, 1e-2, progress=True, rng=1)
    assert capsys.readouterr().err.count("evaluation") >= 2


def test_without_tqdm_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with pytest.raises(ImportError, match=r"pip install cemkit\[progress\]"):
        optimize(progress=True)
    assert optimize(progress=False).nfev == 500
