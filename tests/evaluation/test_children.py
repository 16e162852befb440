"""Runs with workers inside processes that were themselves forked or spawned."""

import subprocess
import sys

import pytest

SCRIPT = """
import multiprocessing, sys, time
import cem

def sphere(x):
    return float((x**2).sum())

def run():
    cem.optimize(sphere, bounds=[(-1, 1)] * 2, n_jobs=2, max_evaluations=50, rng=1)

if __name__ == "__main__":
    child = multiprocessing.get_context(sys.argv[1]).Process(target=run)
    child.start()
    child.join(40)
    print("exit code", child.exitcode)
    child.kill()
"""


@pytest.fixture
def told(tmp_path):
    def started(how):
        script = tmp_path / "script.py"
        script.write_text(SCRIPT)
        done = subprocess.run(
            [sys.executable, str(script), how], capture_output=True, text=True, timeout=60, check=True
        )
        return done.stdout, done.stderr

    return started


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
def test_a_forked_child_ends_when_it_is_done(told):
    """Workers that rest for a minute do not keep it."""
    assert told("fork") == ("exit code 0\n", "")


@pytest.mark.slow
def test_a_function_of_a_spawned_childs_main_is_refused_clearly(told):
    out, err = told("spawn")
    assert out == "exit code 1\n"
    last = err.strip().splitlines()[-1]
    assert last.startswith("TypeError: the objective (or its args) cannot be sent to another process")
    assert "Define it at module level" in last
