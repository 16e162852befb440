"""What the fuzz calls a fault, shown by cases that have one."""

import warnings

import numpy as np
import pytest
from fuzzing.runner import Tally, WrongError, go, is_clear, try_case

import cem


def case_of(act):
    return lambda rng: ("something", act)


def raises(error):
    def act():
        raise error

    return act


def warns():
    warnings.warn("odd", RuntimeWarning, stacklevel=1)
    return "done"


FAULTS = {
    "a raw error": raises(KeyError("x")),
    "a ValueError of numpy's": lambda: np.zeros(2) + np.zeros(3),
    "a broken promise": raises(WrongError("not so")),
    "a warning": warns,
    "too much memory": lambda: f"{np.ones(10**8).sum()}",
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_and_says_how_to_repeat_it(fault, capsys):
    tally = Tally()
    try_case("optimizing", case_of(FAULTS[fault]), 17, tally)
    assert tally.outcomes == {"finding": 1}
    assert "--only optimizing --seed 17 --cases 1" in capsys.readouterr().out


def test_a_clear_refusal_is_none():
    tally = Tally()
    try_case("optimizing", case_of(lambda: cem.optimize(sum, bounds=[(1, 0)])), 1, tally)
    assert tally.outcomes == {"refused": 1}
    assert not is_clear(ValueError("of nobody's"))


def test_every_case_has_a_seed_of_its_own():
    seen = []

    def case(rng):
        return "a number", lambda: str(seen.append(rng.integers(10**9)))

    tallies = go({"one": case, "other": case}, 5, 10.0, 3)
    assert [tally.tried for tally in tallies.values()] == [3, 3]
    again = np.random.default_rng(6).integers(10**9)
    assert seen[2] == seen[3] == again
