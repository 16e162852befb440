"""Ctrl-C: one ends a run, a second one the loop over runs."""

import numpy as np
import pytest

import cem
from cem import Status


def interrupts(x):
    raise KeyboardInterrupt


def sphere(x):
    return float((x**2).sum())


def short(fun=sphere, **options):
    return cem.optimize(fun, bounds=[(-1, 1)] * 2, max_evaluations=20, rng=1, **options)


def test_the_first_ctrl_c_ends_a_run_and_a_second_one_the_loop():
    assert short(interrupts).status is Status.INTERRUPTED
    with pytest.raises(KeyboardInterrupt):
        short(interrupts)


@pytest.mark.parametrize(
    "second",
    [
        lambda: cem.estimate_probability(interrupts, cem.Gaussian([0.0], std=1), 3, rng=1),
        lambda: cem.estimate_quantile(interrupts, cem.Gaussian([0.0], std=1), 1e-3, rng=1),
    ],
    ids=["probability", "quantile"],
)
def test_a_loop_may_be_of_different_runs(second):
    assert second().status is Status.INTERRUPTED
    with pytest.raises(KeyboardInterrupt):
        short(interrupts)


def test_a_run_that_ends_by_itself_begins_anew():
    assert short(interrupts).status is Status.INTERRUPTED
    assert short().status is not Status.INTERRUPTED
    assert short(interrupts).status is Status.INTERRUPTED


def test_after_the_loop_has_ended_the_first_one_ends_a_run_again():
    short(interrupts)
    with pytest.raises(KeyboardInterrupt):
        short(interrupts)
    assert short(interrupts).status is Status.INTERRUPTED


def test_a_failure_of_the_objective_is_no_interrupt():
    with pytest.raises(cem.ObjectiveError):
        short(lambda x: 1 / 0)
    assert short(interrupts).status is Status.INTERRUPTED


def test_the_second_of_a_loop_keeps_its_checkpoint(tmp_path):
    """Nothing is lost: what was scored before the second Ctrl-C is there when the run is resumed."""
    calls = []

    def at_the_seventh(x):
        calls.append(x)
        if len(calls) == 7:
            raise KeyboardInterrupt
        return sphere(x)

    path = tmp_path / "run"
    short(interrupts)
    with pytest.raises(KeyboardInterrupt):
        short(at_the_seventh, checkpoint=path)
    before = len(calls)
    r = short(at_the_seventh, checkpoint=path, resume=True)
    assert r.nfev == 20
    assert 20 - 6 <= len(calls) - before <= 20 - 6 + 3  # some kept candidates may be tried again
    np.testing.assert_array_equal(r.x, short().x)
