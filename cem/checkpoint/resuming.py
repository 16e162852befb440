"""Opening the checkpoint of a run: anew, or to go on where it was left."""

from __future__ import annotations

import logging
import os
import platform
import secrets
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from cem.checkpoint import file as checkpoint
from cem.checkpoint.description import Description, describe, describe_parts, differences
from cem.checkpoint.journal import VERSION, Journal
from cem.checkpoint.lock import Lock
from cem.core.budget import Budget
from cem.core.streams import RngLike, Streams
from cem.core.version import __version__

log = logging.getLogger("cem")


def opened(
    path: Any, resume: bool, kind: str, fun: Any, arguments: Mapping[str, Any], budget: Budget, rng: RngLike
) -> tuple[Streams, Journal | None]:
    """Return the streams of a run, and the journal that it keeps, if any.

    Parameters
    ----------
    path : path, None or False
    resume : bool
        Go on with what is at `path`, if anything is.
    kind : str
        What the run is; another kind of run is refused.
    fun : callable or problem
        What is evaluated.
    arguments : mapping
        What must not change besides.
    budget : Budget
        Which may.
    rng : None, int, Generator or SeedSequence
        None, where there is something to go on with, means its seed.

    Raises
    ------
    TypeError
        If `path` is no path, or `resume` no bool.
    ValueError
        If `resume` comes without a path, or an unfinished run without `resume`; if what is there is damaged,
        of another kind or version, or has other arguments.
    OSError
        If nothing can be written at `path`; BlockingIOError if another run is writing there.
    """
    if resume not in (True, False, None):
        raise TypeError(f"resume must be True or False, got {resume!r}.")
    if path is None or path is False:
        if resume:
            raise ValueError("resume=True needs the file to go on with: checkpoint=path.")
        return Streams.from_rng(rng), None
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"checkpoint must be the path of a file, got {path!r}.")
    lock = Lock(check_writable(path))
    lock.acquire()
    try:
        stamp = checkpoint.stamp(path)
        if stamp and not resume:
            _check_replaceable(path)
        old = Journal.read(path, kind) if resume and stamp else None
    finally:
        lock.release()
    streams = Streams.from_rng(rng) if old is None or rng is not None else _seeded(old)
    described = {"function": fun, **arguments}
    parts, hidden = describe_parts(described)
    version = Description(__version__, __version__, __version__)
    header = {
        "kind": kind,
        "version": VERSION,
        "python": f"{platform.python_implementation()} {'.'.join(platform.python_version_tuple()[:2])}",
        "arguments": {"version of cem": version, **parts},
        "budget": {name: describe(value).text for name, value in asdict(budget).items()},
        "planned": budget.max_evaluations,
        "entropy": streams.entropy,
        "prefix": streams.prefix,
    }
    journal = Journal(path, header) if old is None else old
    if old is not None:
        old.doubt = _check_same(path, old.header, header) or hidden
        if arguments.get("pass_rng") if arguments.get("vectorized") else arguments.get("noisy"):
            old.doubt = ""  # a score that was drawn says nothing about the next one
        old.other_budget = old.header["budget"] != header["budget"]
        kept = {"moving": old.header.get("moving", []), "planned": old.header.get("planned")}
        old.header = {**header, **kept}
    journal.stamp = stamp
    journal.moving = lambda: differences(parts, describe_parts(described)[0], code=True)
    return streams, journal


def check_writable(path: str | os.PathLike[str]) -> Any:
    """Try whether a file can be written at `path`; return where it leads.

    Raises
    ------
    OSError
        If not: the folder is missing or read-only, or something else than a regular file is there.
    """
    target = checkpoint.regular(path)
    trial = checkpoint.companion(target, f"{secrets.token_hex(8)}.trial")
    try:
        checkpoint.write(trial, {}, {}, sync=False)
        trial.unlink()
    except OSError as error:
        raise type(error)(
            error.errno, f"the checkpoint cannot be written: {error.strerror}", os.fspath(path)
        ) from None
    return target


def _check_replaceable(path: Any) -> None:
    """Refuse to write over anything but a finished run.

    Raises
    ------
    ValueError
        If an unfinished run is there, or something that no run has written.
    """
    if os.path.getsize(path) == 0:
        return
    try:
        finished = checkpoint.check_entry(checkpoint.read_header(path), "finished", bool)
    except ValueError as error:
        raise ValueError(
            f"{os.fspath(path)} is there already and holds no run ({str(error).rstrip('.')}). Give another "
            "checkpoint, or delete the file."
        ) from None
    if not finished:
        raise ValueError(
            f"{os.fspath(path)} holds an unfinished run. Go on with it by resume=True; to start anew, give "
            "another checkpoint or delete the file."
        )


def _seeded(journal: Journal) -> Streams:
    return Streams(*checkpoint.check_words(journal.header))


def _check_same(path: Any, old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Refuse to go on with other arguments; return what leaves a doubt whether they are the same.

    Raises
    ------
    ValueError
        Naming what differs.
    """
    before = {name: Description(*texts) for name, texts in old["arguments"].items()}
    before["rng"], now = _seed(old), {**new["arguments"], "rng": _seed(new)}
    same_interpreter = old["python"] == new["python"]
    moving = old.get("moving", [])
    changes, moved = [], ""
    for name, change in differences(before, now, code=same_interpreter).items():
        if any(name == each or name.startswith(f"{each}.") for each in moving):
            moved = f"{name}, which changes as the function is called, differs"
        else:
            changes.append(change)
    if changes:
        raise ValueError(
            f"{os.fspath(path)} holds a run with other arguments: {'; '.join(sorted(changes))}. Nothing is "
            "lost: give the same ones (budgets, n_jobs and callback may change), or another checkpoint."
        )
    if not same_interpreter:
        said = f"Python was {old['python']} and is now {new['python']}, so code cannot be compared"
        log.warning("%s: %s", path, said)
        return said
    return moved


def _seed(header: Mapping[str, Any]) -> Description:
    entropy = header["entropy"]
    return describe([list(entropy) if isinstance(entropy, tuple | list) else entropy, list(header["prefix"])])
