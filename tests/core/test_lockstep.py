"""Stages side by side: the same answers as one after another, in as many rounds as the longest takes."""

import numpy as np
import pytest

import cem
from cem.core.lockstep import in_step
from cem.core.loop import Batch, Draw, Rows, Step


def answer(x):
    return Batch(x, -(x**2).sum(axis=1), np.random.default_rng, residuals=x[:, :1], excess=np.abs(x[:, 0]))


def served(stage):
    """Serve a stage; return the sizes of its requests and its notices."""
    sizes, notices, batch = [], [], None
    try:
        while True:
            request = stage.send(batch)
            batch = None
            if isinstance(request, Step):
                notices.append(request.stage)
            else:
                sizes.append(len(request.x))
                batch = answer(request.x)
    except StopIteration:
        return sizes, notices


def asking(rows, seen, name=""):
    for x in rows:
        batch = yield Rows(np.array(x, dtype=float))
        seen.append(batch)
        if name:
            yield Step(None, name)


def test_each_stage_gets_its_own_rows_back():
    seen = [[], []]
    first = asking([[[1.0]], [[2.0], [3.0]]], seen[0], "a")
    second = asking([[[4.0], [5.0]], [[6.0]], [[7.0]]], seen[1], "b")
    sizes, notices = served(in_step([first, second]))
    assert sizes == [3, 3, 1]
    assert notices == ["a", "b", "a", "b", "b"]
    assert [batch.x.ravel().tolist() for batch in seen[0]] == [[1], [2, 3]]
    assert [batch.x.ravel().tolist() for batch in seen[1]] == [[4, 5], [6], [7]]
    for batch in (each for own in seen for each in own):
        expected = answer(batch.x)
        for name in ("scores", "residuals", "excess"):
            assert np.array_equal(getattr(batch, name), getattr(expected, name))


def test_stages_that_ask_for_nothing_and_none_at_all():
    assert served(in_step([])) == ([], [])
    assert served(in_step([asking([], []), asking([[[1.0]]], [])])) == ([1], [])


def test_a_stage_that_draws_is_refused():
    def drawing():
        yield Draw(cem.Gaussian([0.0], std=1), 3)

    with pytest.raises(TypeError, match="of their own choice"):
        served(in_step([drawing()]))


def test_looks_of_a_smooth_function_are_asked_together():
    sizes = []

    def bowl(X):
        sizes.append(len(X))
        return ((X - 0.3) ** 2).sum(axis=1)

    r = cem.optimize(bowl, bounds=[(-5, 5)] * 2, vectorized=True, rng=1)
    assert r.success
    assert r.looks == 100
    assert len(sizes) < r.nfev / 5  # one look at a time: some 0.6 of the evaluations
