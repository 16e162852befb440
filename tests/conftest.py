"""What every test needs."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy is there: test processes share the cores

import pytest

import cem


@pytest.fixture(autouse=True)
def forget_interrupt():
    """Return what lets the next run not follow one that was interrupted: Ctrl-C would end the loop of both.

    It is called after every test.
    """

    def forget():
        cem.optimize(lambda x: 0.0, cem.Bernoulli([0.5]), max_evaluations=2, rng=0)

    yield forget
    forget()
