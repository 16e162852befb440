"""Opening the checkpoint of a run: anew, or to go on where it was left."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from cem.budget import Budget
from cem.keeping.description import describe, describe_objective
from cem.keeping.journal import VERSION, Journal, check_writable
from cem.streams import RngLike, Streams
from cem.version import __version__


def opened(
    path: Any, resume: bool, kind: str, fun: Any, arguments: Mapping[str, Any], budget: Budget, rng: RngLike
) -> tuple[Streams, Journal | None]:
    """Give the streams of a run, and the journal that it keeps, if any.

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
        If `resume` comes without a path; if what is there is damaged, of another kind or version, or has
        other arguments.
    OSError
        If nothing can be written at `path`.
    """
    if resume not in (True, False, None):
        raise TypeError(f"resume must be True or False, got {resume!r}.")
    if path is None or path is False:
        if resume:
            raise ValueError("resume=True needs the file to go on with: checkpoint=path.")
        return Streams.from_rng(rng), None
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"checkpoint must be the path of a file, got {path!r}.")
    check_writable(path)
    old = Journal.read(path, kind) if resume and os.path.exists(path) else None
    streams = Streams.from_rng(rng) if old is None or rng is not None else _seeded(old)
    header = {
        "kind": kind,
        "version": VERSION,
        "arguments": {
            "version of cem": __version__,
            "function": describe_objective(fun),
            **{name: describe(value) for name, value in arguments.items()},
        },
        "budget": {name: describe(value) for name, value in asdict(budget).items()},
        "entropy": streams.entropy,
        "prefix": streams.prefix,
    }
    if old is None:
        return streams, Journal(path, header)
    _check_same(path, old.header, header)
    old.other_budget = old.header["budget"] != header["budget"]
    old.header = header
    return streams, old


def _seeded(journal: Journal) -> Streams:
    entropy, prefix = journal.header["entropy"], journal.header["prefix"]
    return Streams(tuple(entropy) if isinstance(entropy, list) else entropy, tuple(prefix))


def _check_same(path: Any, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Refuse to go on with other arguments.

    Raises
    ------
    ValueError
        Naming what differs.
    """
    before, now = ({**each["arguments"], "rng": _seed_text(each)} for each in (old, new))
    different = [name for name in before.keys() | now.keys() if before.get(name) != now.get(name)]
    if different:
        changes = "; ".join(
            f"{name} was {before.get(name)} and is now {now.get(name)}" for name in sorted(different)
        )
        raise ValueError(
            f"{os.fspath(path)} holds a run with other arguments: {changes}. Give the same ones (budgets, "
            "n_jobs and callback may change), or another checkpoint."
        )


def _seed_text(header: Mapping[str, Any]) -> str:
    entropy = header["entropy"]
    return describe([list(entropy) if isinstance(entropy, tuple | list) else entropy, list(header["prefix"])])
