"""Whether a run goes on where content cannot tell, and in other processes."""

import logging
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from checkpoint_helpers import SQUARE, Weighted, at_least, optimize_square
from helpers import sphere
from scipy.optimize import NonlinearConstraint

import cem


def outside(path):
    """Return an objective that asks a file, as one that asks a server or a simulator would."""

    def function(x):
        with open(path) as file:
            return float(float(file.read()) * (x**2).sum())

    return function


OUTSIDE = {
    "one by one": {},
    "constrained": {"constraints": at_least(-1.0)},
    "textbook": {"method": "textbook"},
    "workers": {"n_jobs": 2, "method": "textbook"},
    "integers": {"integrality": [1, 0]},
}


@pytest.mark.slow
@pytest.mark.parametrize("use", OUTSIDE)
def test_where_content_cannot_tell_kept_candidates_are_asked_again(path, tmp_path, use):
    data = tmp_path / "data"
    data.write_text("1.0")
    options = OUTSIDE[use]
    first = optimize_square(outside(data), path, max_evaluations=100, **options)
    data.write_text("2.0")
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"were scored .* and are now .*a use of open.*Nothing is lost"):
        optimize_square(outside(data), path, resume=True, **options)
    assert path.read_bytes() == before
    data.write_text("1.0")
    assert optimize_square(outside(data), path, resume=True, max_evaluations=100, **options).fun == first.fun
    expected = cem.optimize(outside(data), bounds=SQUARE, max_evaluations=300, rng=3, **options)
    result = optimize_square(outside(data), path, resume=True, **options)
    assert (result.fun, result.nfev) == (expected.fun, expected.nfev)


def test_many_at_a_time(path, tmp_path):
    data = tmp_path / "data"

    def function(X):
        with open(data) as file:
            return float(file.read()) * (X**2).sum(axis=1)

    data.write_text("1.0")
    first = optimize_square(function, path, vectorized=True)
    assert optimize_square(function, path, vectorized=True, resume=True).fun == first.fun
    data.write_text("2.0")
    with pytest.raises(ValueError, match="are now"):
        optimize_square(function, path, vectorized=True, resume=True)


def test_a_constraint_that_answers_otherwise_is_refused(path, tmp_path):
    data = tmp_path / "data"

    def constraint(x):
        with open(data) as file:
            return x[0] - float(file.read())

    limits = NonlinearConstraint(constraint, 0, np.inf)
    data.write_text("-1.0")
    optimize_square(sphere, path, constraints=limits)
    data.write_text("0.5")
    with pytest.raises(ValueError, match=r"constraints of kept candidates were .* and are now"):
        optimize_square(sphere, path, constraints=limits, resume=True)


def test_a_plateau_at_the_beginning_says_nothing_and_the_next_batch_is_asked(path, tmp_path):
    data = tmp_path / "data"

    def function(X):
        with open(data) as file:
            far = float(file.read())
        return np.maximum((X**2).sum(axis=1), 0.1) * np.where((X**2).sum(axis=1) > 0.1, far, 1.0)

    data.write_text("1.0")
    optimize_square(function, path, vectorized=True, method="textbook")
    data.write_text("3.0")
    with pytest.raises(ValueError, match="are now"):
        optimize_square(function, path, vectorized=True, method="textbook", resume=True)


def test_a_function_that_fails_when_it_is_asked_again_leaves_the_file(path, tmp_path):
    data = tmp_path / "data"
    data.write_text("1.0")
    optimize_square(outside(data), path)
    data.unlink()
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"cannot be evaluated any more: FileNotFoundError"):
        optimize_square(outside(data), path, resume=True)
    assert path.read_bytes() == before


@pytest.mark.parametrize("options", [{}, {"noisy": True}, {"noisy": True, "pass_rng": True}])
def test_a_random_function_is_not_judged_by_its_scores(path, tmp_path, options):
    data = tmp_path / "data"
    data.write_text("1.0")
    chance = np.random.default_rng()

    def function(x, rng=chance):
        with open(data) as file:
            return float(float(file.read()) * (x**2).sum() + 0.1 * rng.normal())

    optimize_square(function, path, max_evaluations=100, method="auto", **options)
    assert optimize_square(function, path, max_evaluations=200, resume=True, **options).nfev <= 200


def test_another_interpreter_is_said_and_kept_candidates_are_asked(path, monkeypatch, caplog):
    fun = Weighted(1.0)
    first = optimize_square(fun, path)
    monkeypatch.setattr("platform.python_version_tuple", lambda: ("3", "99", "0"))
    monkeypatch.setattr("cem.checkpoint.contents.code_text", lambda code: "written otherwise")
    later = Weighted(1.0)
    with caplog.at_level(logging.WARNING, logger="cem"):
        assert optimize_square(later, path, resume=True).fun == first.fun
    assert later.calls == 3
    assert "and is now CPython 3.99, so code cannot be compared" in caplog.text
    monkeypatch.setattr("platform.python_version_tuple", lambda: ("3", "98", "0"))
    with pytest.raises(ValueError, match=r"function.weight was 1.0 and is now 2.0"):
        optimize_square(Weighted(2.0), path, resume=True)


MODULE = """
import functools, sys
import cem
from scipy import stats

SCALES = {"a": 1.0, "b": 2.0}

class Model:
    kinds = {"p", "q", "r"}
    def __init__(self, scale):
        self.scale, self.calls = scale, 0
    def __call__(self, x):
        self.calls += 1
        return helper(x) * self.scale if "p" in self.kinds | {"s", "t"} else 0.0

def helper(x):
    return float((x ** CHANGED).sum()) * SCALES["a"]

CHANGED = 2
r = cem.optimize(Model(1.0), bounds=[(-1, 1)] * 2, max_evaluations=int(sys.argv[2]), checkpoint=sys.argv[1],
                 resume=True, rng=1)
print(r.nfev)
"""


@pytest.mark.slow
def test_another_process_with_another_hash_seed_goes_on(tmp_path):
    script = tmp_path / "model.py"

    def run(text, evaluations, seed):
        script.write_text(textwrap.dedent(text))
        return subprocess.run(
            [sys.executable, str(script), str(tmp_path / "run"), str(evaluations)],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        )

    assert run(MODULE, 50, "1").stdout == "50\n"
    assert run("# Moved down\n\n" + MODULE, 80, "2").stdout == "80\n"
    other = run(MODULE.replace("CHANGED = 2", "CHANGED = 4"), 90, "3")
    assert "CHANGED was 2 and is now 4" in other.stderr
    other = run(MODULE.replace("return helper(x) * ", "return 2 * helper(x) * "), 90, "3")
    assert "the code of function.class.__call__ (Model.__call__) has changed" in other.stderr
    assert run(MODULE, 90, "4").stdout == "90\n"
