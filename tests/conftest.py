"""What every test needs."""

import pytest

import cem


@pytest.fixture(autouse=True)
def _no_interrupt_before():
    """Let no test follow a run that another one interrupted: Ctrl-C would end it otherwise."""
    yield
    forget_interrupt()


def forget_interrupt():
    """Make a run that is not interrupted."""
    cem.optimize(lambda x: 0.0, cem.Bernoulli([0.5]), max_evaluations=2, rng=0)
