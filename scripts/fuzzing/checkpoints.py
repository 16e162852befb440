"""Checkpoints and saved states, damaged: refused by name, or the same as before."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import NonlinearConstraint

import cem
from fuzzing.runner import demand

VALUES: list[Any] = [
    None,
    0,
    -1,
    1,
    10**12,
    2**63,
    1e308,
    -0.5,
    "",
    "x",
    [],
    {},
    True,
    [1] * 50,
    {"a": 1},
    float("nan"),
]


def _bowl(x: Any) -> float:
    return float((x**2).sum())


def _sum(x: Any) -> float:
    return float(x.sum())


def _limit(x: Any) -> float:
    return float(1 - x[0])


RUNS: dict[str, Callable[..., Any]] = {
    "a box": lambda **more: cem.optimize(_bowl, bounds=[(-1, 1)] * 2, max_evaluations=60, rng=1, **more),
    "constraints": lambda **more: cem.optimize(
        _bowl,
        bounds=[(-1, 1)] * 2,
        constraints=NonlinearConstraint(_limit, 0, np.inf),
        max_evaluations=40,
        rng=1,
        **more,
    ),
    "bits": lambda **more: cem.optimize(_sum, cem.Bernoulli([0.5] * 6), max_evaluations=40, rng=1, **more),
    "an estimate": lambda **more: cem.estimate_probability(
        _sum, cem.Gaussian([0.0, 0.0], std=1.0), 4, max_evaluations=2500, rng=1, **more
    ),
}


def _resumable(run: Callable[..., Any]) -> bytes:
    """Return the file that a run leaves."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run"
        run(checkpoint=path)
        return path.read_bytes()


@cache
def _kept(name: str) -> tuple[bytes, str]:
    """Return the file that a run leaves, and its answer."""
    return _resumable(RUNS[name]), _answer(RUNS[name]())


def _answer(r: Any) -> str:
    value = r.x if hasattr(r, "x") else r.probability
    return f"{value} {r.nfev} {r.status!r}"


@cache
def _state() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state"
        m = cem.CrossEntropyMethod(bounds=[(-5, 5)] * 3, update=cem.updates.PathAdaptation(), rng=1)
        for _ in range(3):
            x = m.ask()
            m.tell(x, (x**2).sum(axis=1))
        m.save(path)
        return path.read_bytes()


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Return the file with bytes changed, cut out or doubled, or with good checksums and bad contents."""
    kind, place = rng.integers(7), int(rng.integers(len(content)))
    if kind == 0:
        return content[:place]
    if kind == 1:
        return content[:place] + rng.bytes(int(rng.integers(1, 9))) + content[place:]
    if kind == 2:
        return content[:place] + content[place + int(rng.integers(1, 99)) :]
    if kind == 3:
        many = bytearray(content)
        for at in rng.integers(0, len(many), rng.integers(1, 9)):
            many[at] = rng.integers(256)
        return bytes(many)
    return _rewritten(content, rng, header=bool(kind < 6))


def _rewritten(content: bytes, rng: np.random.Generator, header: bool) -> bytes:
    """Change a value of the header, or an array."""
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    if header:
        fields = json.loads(str(arrays["header"]))
        at, key = _somewhere(fields, rng)
        if rng.random() < 0.2:
            del at[key]
        else:
            at[key] = VALUES[rng.integers(len(VALUES))]
        arrays["header"] = np.array(json.dumps(fields))
    else:
        name = sorted(arrays)[rng.integers(len(arrays))]
        values, kind = arrays[name], rng.integers(5)
        if kind == 0:
            del arrays[name]
        elif kind == 1:
            arrays[name] = values.ravel()[: rng.integers(values.size + 1)]
        elif kind == 2:
            arrays[name] = values[None]
        elif kind == 3 and values.dtype.kind in "fiub":
            with np.errstate(all="ignore"):
                arrays[name] = values.astype(["f4", "i8", "S4", "c16", "?"][rng.integers(5)])
        else:
            arrays[name] = np.full_like(values, np.nan) if values.dtype.kind == "f" else np.zeros_like(values)
    stream = io.BytesIO()
    with np.errstate(all="ignore"), zipfile.ZipFile(stream, "w") as out:
        for name, values in arrays.items():
            member = io.BytesIO()
            np.save(member, values, allow_pickle=False)
            out.writestr(f"{name}.npy", member.getvalue())
    return stream.getvalue()


def _somewhere(fields: Any, rng: np.random.Generator) -> tuple[Any, Any]:
    """Return a dict or list within a header, and a key of it."""
    while True:
        keys = sorted(fields) if isinstance(fields, dict) else list(range(len(fields)))
        key = keys[rng.integers(len(keys))]
        inner = fields[key]
        if not (isinstance(inner, dict | list) and inner) or rng.random() < 0.3:
            return fields, key
        fields = inner


def _try(content: bytes, use: Callable[[Path], str]) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(content)
        try:
            return use(path)
        except ValueError as error:
            demand(
                str(path) in str(error) or isinstance(error, cem.ObjectiveError),
                f"refused without its name: {error}",
            )
            demand(path.read_bytes() == content, "a refused file was changed")
            raise


def resuming(rng: np.random.Generator) -> tuple[str, Callable[[], str]]:
    """Go on from a damaged checkpoint."""
    name = list(RUNS)[rng.integers(len(RUNS))]
    content, answer = _kept(name)
    bad = damaged(content, rng)

    def use(path: Path) -> str:
        r = RUNS[name](checkpoint=path, resume=True)
        return "the same" if _answer(r) == answer else "another answer"

    return f"{name}, {len(bad)} of {len(content)} bytes", lambda: _try(bad, use)


def loading(rng: np.random.Generator) -> tuple[str, Callable[[], str]]:
    """Load a damaged state, and go on with it."""
    bad = damaged(_state(), rng)

    def use(path: Path) -> str:
        m = cem.CrossEntropyMethod.load(path)
        for _ in range(2):
            x = m.ask()
            m.tell(x, (x**2).sum(axis=1))
        demand(np.isfinite(m.family.mean).all(), "a mean that is not finite")
        return "goes on"

    return f"a state of {len(bad)} bytes", lambda: _try(bad, use)
