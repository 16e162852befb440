"""The cases that settings are tuned on, and how repeated estimates are summed up."""

import pytest
import tuning
from trials import HEADING, row, summarise, trial

from problems.rare_event import suite

CASES = {case.name: case for case in suite()}


def test_no_case_for_tuning_is_in_the_suite():
    names = {case.name for case in tuning.problems()}
    assert len(names) == len(tuning.problems()) > 15
    assert not names & set(CASES)


@pytest.mark.slow
def test_references_for_tuning_computed_anew():
    references = {case.name: case.reference for case in tuning.problems()}
    for name, value in tuning.compute().items():
        assert references[name] == pytest.approx(value, rel=1e-6)


@pytest.mark.slow
def test_trials_are_summed_up():
    trials = [trial(CASES["RP22"], seed) for seed in range(2)]
    s = summarise(trials)
    assert s.success == 1
    assert s.wrong == 0
    assert s.mean == pytest.approx(1, abs=0.15)
    assert len(row("RP22", trials)) == len(HEADING)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_no_confident_error_over_the_suite(name):
    """Three runs a case: whatever calls itself a success is within a quarter of the reference."""
    assert summarise([trial(CASES[name], seed) for seed in range(3)]).very_wrong == 0
