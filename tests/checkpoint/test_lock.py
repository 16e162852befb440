"""What stands at the path: only a finished run is replaced, by one run at a time, nothing else is touched."""

import os
import signal
import stat
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import cem
from cem.checkpoint import file as checkpoint
from cem.checkpoint.lock import Lock

posix = pytest.mark.skipif(sys.platform == "win32", reason="names and modes of POSIX")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.npz"


def bowl(x):
    return float((x**2).sum())


def optimize(path, fun=bowl, **options):
    common = {"bounds": [(-1, 1)] * 2, "max_evaluations": 60, "rng": 1}
    return cem.optimize(fun, checkpoint=path, **common | options)


def unfinished(path):
    """Leave a run that was stopped."""

    def stop(intermediate_result):
        raise KeyboardInterrupt

    assert optimize(path, callback=stop).status is cem.Status.INTERRUPTED


# --- what is there -----------------------------------------------------------------------------------


@posix
@pytest.mark.parametrize("what", ["fifo", "device", "socket", "folder", "link to a fifo"])
def test_what_is_no_file_is_left_as_it_is(path, tmp_path, what):
    if what == "fifo":
        os.mkfifo(path)
    elif what == "device":
        path = Path("/dev/null")
    elif what == "socket":
        import socket

        with socket.socket(socket.AF_UNIX) as there:
            there.bind(str(path))
    elif what == "folder":
        path.mkdir()
    else:
        os.mkfifo(tmp_path / "fifo")
        path.symlink_to("fifo")
    before = os.stat(path).st_mode
    m = cem.CrossEntropyMethod(bounds=[(-1, 1)], rng=1)
    for call in (lambda: optimize(path), lambda: optimize(path, resume=True), lambda: m.save(path)):
        with pytest.raises(OSError, match=r"not a regular file|is a folder"):
            call()
    with pytest.raises(ValueError, match="was not saved by cem"):
        cem.CrossEntropyMethod.load(path)
    assert os.stat(path).st_mode == before
    assert not path.is_dir() or os.listdir(path) == []


@posix
def test_a_link_is_followed_and_stays_one(path, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    path.symlink_to("elsewhere/kept")
    optimize(path)  # to nothing yet
    assert path.is_symlink()
    optimize(path)
    assert path.is_symlink()
    assert os.listdir(tmp_path / "elsewhere") == ["kept"]
    assert set(os.listdir(tmp_path)) == {"elsewhere", "run.npz"}
    assert optimize(path, resume=True).nfev == optimize(tmp_path / "elsewhere" / "kept", resume=True).nfev


@posix
def test_a_loop_of_links_is_told(path):
    path.symlink_to(path.name)
    with pytest.raises(OSError, match="link"):
        optimize(path)
    assert path.is_symlink()


@posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_a_files_mode_is_kept(path, mode):
    optimize(path)
    path.chmod(mode)
    optimize(path)
    assert stat.S_IMODE(path.stat().st_mode) == mode
    cem.CrossEntropyMethod(bounds=[(-1, 1)], rng=1).save(path)
    assert stat.S_IMODE(path.stat().st_mode) == mode


@posix
def test_a_new_file_has_the_mode_that_the_user_wants(path):
    before = os.umask(0o027)
    try:
        optimize(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@posix
@pytest.mark.parametrize("name", [".run.npz.partial", ".run.npz.trial", ".run.npz.lock"])
def test_a_planted_link_is_not_followed(path, tmp_path, name):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / name).symlink_to(victim)
    if name.endswith("lock"):
        with pytest.raises(OSError, match="link"):
            optimize(path)
    else:
        optimize(path)
    assert victim.read_text() == "precious"


def test_temporary_names_are_never_the_same(path, monkeypatch):
    seen = []
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda one, other: (seen.append(one), replace(one, other)))
    for _ in range(20):
        checkpoint.write(path, {}, {"x": np.arange(3)}, sync=False)
    assert len(set(seen)) == 20
    assert {each.parent for each in seen} == {path.parent}


def test_a_name_may_be_as_long_as_the_disk_allows(tmp_path):
    for name in ("a" * 255, "ü" * 127):
        optimize(tmp_path / name)
        optimize(tmp_path / name, resume=True)
    assert len(os.listdir(tmp_path)) == 2


# --- resume forgotten --------------------------------------------------------------------------------


def test_an_unfinished_run_is_not_replaced(path):
    unfinished(path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"unfinished run.*resume=True"):
        optimize(path)
    with pytest.raises(ValueError, match=r"unfinished run.*resume=True"):
        cem.estimate_probability(bowl, cem.Gaussian([0.0, 0.0], std=1), 9, checkpoint=path, rng=1)
    assert path.read_bytes() == before
    assert optimize(path, resume=True).nfev == 60


@pytest.mark.slow
def test_a_finished_run_is_replaced(path):
    optimize(path)
    assert optimize(path, rng=2).seed == 2
    cem.estimate_probability(bowl, cem.Gaussian([0.0, 0.0], std=1), 9, checkpoint=path, rng=1)


def test_an_empty_file_is_written_to(path):
    path.touch()
    optimize(path)
    assert optimize(path, resume=True).nfev == 60


def foreign(path):
    np.savez(path, x=np.arange(3.0))


def saved_state(path):
    cem.CrossEntropyMethod(bounds=[(-1, 1)], rng=1).save(path)


@pytest.mark.parametrize("make", [foreign, saved_state, lambda path: path.write_text("notes")])
def test_a_file_that_is_no_run_is_not_replaced(path, make):
    make(path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"holds no run.*another checkpoint"):
        optimize(path)
    assert path.read_bytes() == before


# --- two at once -------------------------------------------------------------------------------------

OTHER = """
import sys, time
import cem

def slow(x):
    print(len(x), flush=True)
    time.sleep(float(sys.argv[2]))
    return float((x**2).sum())

workers = int(sys.argv[3])
cem.optimize(slow, bounds=[(-1, 1)] * 2, max_evaluations=60, checkpoint=sys.argv[1], rng=1, n_jobs=workers)
"""


def start(path, seconds, workers=1):
    """Start a run in another process, and return when it is at work."""
    arguments = [sys.executable, "-c", OTHER, str(path), str(seconds), str(workers)]
    run = subprocess.Popen(
        arguments, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": ":".join(sys.path)}
    )
    run.stdout.readline()
    return run


@pytest.mark.slow
def test_another_process_is_refused_until_the_first_ends(path):
    run = start(path, 0.1)
    try:
        for resume in (False, True):
            with pytest.raises(BlockingIOError, match=rf"another run is writing.*{run.pid}"):
                optimize(path, resume=resume)
    finally:
        run.send_signal(signal.SIGINT)
        run.communicate()
    with pytest.raises(ValueError, match=r"unfinished run.*resume=True"):
        optimize(path)
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.slow
@posix
@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_run_locks_nobody_out(path, workers):
    """Nor do its workers, which may outlive it, nor what it has left."""
    run = start(path, 0.05, workers)
    end = time.monotonic() + 60
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.02)
    run.kill()
    run.wait()
    with pytest.raises(ValueError, match=r"unfinished run.*resume=True"):
        optimize(path)
    run.communicate()
    (path.parent / f".{path.name}.{'0' * 16}.partial").write_bytes(b"half of it")
    with pytest.raises(ValueError, match="function was slow and is now bowl"):
        optimize(path, resume=True)
    assert os.listdir(path.parent) == [path.name]


def test_another_thread_is_refused(path):
    refused = []
    within = threading.Event()

    def slow(x):
        if not within.is_set():
            within.set()
            other = threading.Thread(target=again)
            other.start()
            other.join()
        return bowl(x)

    def again():
        try:
            optimize(path)
        except OSError as error:
            refused.append(error)

    optimize(path, slow)
    assert [type(each) for each in refused] == [BlockingIOError]
    assert os.listdir(path.parent) == [path.name]


def test_a_file_that_another_has_written_meanwhile_is_not_written_over(path):
    from cem.checkpoint.resuming import opened
    from cem.core.budget import Budget

    _, journal = opened(path, False, "optimization", bowl, {}, Budget(), 1)
    optimize(path)
    before = path.read_bytes()
    with pytest.raises(BlockingIOError, match="meanwhile"):
        journal.entry(0, np.zeros((1, 2)))
    journal.close(True, 0.0)
    assert path.read_bytes() == before


def test_a_call_that_fails_before_it_begins_holds_nothing(path):
    for _ in range(2):
        with pytest.raises(ValueError, match="population"):
            optimize(path, population=-1)
    optimize(path)


def test_locks_that_are_forgotten_are_free(path):
    Lock(path).acquire()
    lock = Lock(path)
    lock.acquire()
    assert lock.held
    with pytest.raises(BlockingIOError):
        Lock(path).acquire()
    lock.release()
    assert not lock.held
    lock.release()
    assert os.listdir(path.parent) == []


RACE = """
import sys, time
from pathlib import Path
from cem.checkpoint.lock import Lock
end, won = time.monotonic() + 2, 0
witness = Path(sys.argv[1] + ".witness")
while time.monotonic() < end:
    lock = Lock(Path(sys.argv[1]))
    try:
        lock.acquire()
    except BlockingIOError:
        continue
    with open(witness, "x"):
        won += 1
    witness.unlink()
    lock.release()
print(won)
"""


def test_of_many_one_holds_it(path):
    """What is removed when it is released is made again by another, which opened it before or after."""
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(RACE), str(path)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
        )
        for _ in range(3)
    ]
    won = [int(run.communicate()[0]) for run in runs]
    assert all(run.returncode == 0 for run in runs)
    assert sum(won) > 50
