"""What the package knows of joblib's insides. One that fails means: mend `cem/evaluation/joblib_pool.py`."""

import os
import pickle
import signal
import time

import joblib
import numpy as np
import pytest

from cem.evaluation import joblib_pool

CHANGED = f"joblib {joblib.__version__} changed; the function of this name in joblib_pool.py needs mending"


def _write_environment(path):
    with open(path, "w") as file:
        file.write(os.environ.get("CEM_TEST_MARK", "nothing"))


def test_configured_backend_is_what_parallel_config_says():
    assert joblib_pool.configured_backend(2).__class__.__name__ == "LokyBackend", CHANGED
    with joblib.parallel_config("threading"):
        assert joblib_pool.configured_backend(None).__class__.__name__ == "ThreadingBackend", CHANGED


@pytest.mark.parametrize(("name", "default"), [("loky", True), ("threading", False)])
def test_is_default(name, default):
    with joblib.parallel_config(name, n_jobs=2):
        assert joblib_pool.is_default(joblib_pool.configured_backend(None)) is default, CHANGED


def test_inner_threads():
    with joblib.parallel_config("loky", n_jobs=2, inner_max_num_threads=3):
        assert joblib_pool.inner_threads(joblib_pool.configured_backend(None)) == 3, CHANGED
    assert joblib_pool.inner_threads(joblib_pool.configured_backend(2)) is None, CHANGED


def test_start_process_runs_a_function_under_the_environment_given(tmp_path):
    path = tmp_path / "seen"
    process = joblib_pool.start_process(_write_environment, (str(path),), {"CEM_TEST_MARK": "here"})
    process.join(30)
    assert process.exitcode == 0, CHANGED
    assert path.read_text() == "here", CHANGED


def test_start_process_tells_the_exit_code_while_it_runs():
    process = joblib_pool.start_process(time.sleep, (30,), {})
    assert process.exitcode is None, CHANGED
    assert process.pid > 0, CHANGED
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert process.exitcode == -signal.SIGKILL, CHANGED


def test_pickle_by_value_takes_lambdas_and_leaves_large_arrays_out():
    large, buffers = np.arange(100_000.0), []
    data = joblib_pool.pickle_by_value((lambda x: x + 1, large), buffers.append)
    assert len(data) < 10_000, CHANGED
    function, array = pickle.loads(data, buffers=buffers)
    assert function(1) == 2
    np.testing.assert_array_equal(array, large)
