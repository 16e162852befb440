"""A place for a run's file, and files with everything in them."""

import numpy as np
import pytest
from checkpoint_helpers import OPTIMIZATION
from helpers import sphere
from scipy.optimize import NonlinearConstraint

import cem
from cem.checkpoint import file as checkpoint
from cem.checkpoint.journal import VERSION


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return the header and the arrays of a run's checkpoint, with everything in it."""
    path = tmp_path_factory.mktemp("run") / "run"
    limits = NonlinearConstraint(lambda x: 1 - x[0], 0, np.inf)
    cem.optimize(sphere, bounds=[(-1, 1)] * 2, constraints=limits, max_evaluations=60, checkpoint=path, rng=1)
    return checkpoint.read(path, OPTIMIZATION, VERSION)


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    """Return the header and the arrays of a saved state."""
    path = tmp_path_factory.mktemp("state") / "state"
    m = cem.CrossEntropyMethod(bounds=[(-5, 5)] * 3, update=cem.updates.PathAdaptation(), rng=1)
    for _ in range(3):
        x = m.ask()
        m.tell(x, (x**2).sum(axis=1))
    m.save(path)
    return checkpoint.read(path, "CrossEntropyMethod", 1)
