"""Kill runs by SIGKILL at random moments, go on from their checkpoints, and compare with unbroken runs.

Each use of the package runs once without a break; then again and again in a child process that is killed and
resumed until it ends. Compared are every number of the result and of its history (but times), bit by bit, and
how many evaluations each kill cost beyond the batch in flight.
"""

from __future__ import annotations

import mmap
import os
import pickle
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import stats
from scipy.optimize import LinearConstraint

import cem
from cem.checkpoint.journal import Journal
from problems.command import carry_out_benchmark, make_benchmark_parser, positive
from problems.maxcut import MaxCut

SECONDS = 5e-4  # of an evaluation
COUNTER = mmap.mmap(-1, 8)  # evaluations, counted across the processes of one run


def busy() -> None:
    """Count an evaluation, and take as long as one does."""
    end = time.perf_counter() + SECONDS
    COUNTER[:8] = (int.from_bytes(COUNTER[:8], "little") + 1).to_bytes(8, "little")
    while time.perf_counter() < end:
        pass


def valley(x: Any) -> float:
    busy()
    return float(100 * ((x[1:] - x[:-1] ** 2) ** 2).sum() + ((1 - x[:-1]) ** 2).sum())


def waves(x: Any) -> float:
    busy()
    return float((x**2 - 10 * np.cos(2 * np.pi * x) + 10).sum())


def noisy(x: Any, rng: np.random.Generator) -> float:
    busy()
    return float((x**2).sum() + 0.1 * rng.normal())


def ones(x: Any) -> float:
    busy()
    return float(x.sum())


def total(x: Any) -> float:
    busy()
    return float(x.sum())


def slow_valley(x: Any) -> float:
    time.sleep(SECONDS)
    return float(100 * ((x[1:] - x[:-1] ** 2) ** 2).sum() + ((1 - x[:-1]) ** 2).sum())


class Use(NamedTuple):
    """One use of the package: what to call, and whether evaluations are counted (not in other processes)."""

    name: str
    call: Callable[..., Any]
    kind: str
    counted: bool = True


BOX = [(-4.0, 5.0)] * 3
GRAPH = MaxCut.random(120, rng=3)

USES = (
    Use(
        "continuous",
        lambda **kept: cem.optimize(valley, bounds=BOX, max_evaluations=900, rng=1, **kept),
        "optimization",
    ),
    Use(
        "restarts",
        lambda **kept: cem.optimize(waves, bounds=BOX, polish=False, max_evaluations=900, rng=2, **kept),
        "optimization",
    ),
    Use(
        "textbook",
        lambda **kept: cem.optimize(
            valley, bounds=BOX, method="textbook", max_evaluations=1000, rng=3, **kept
        ),
        "optimization",
    ),
    Use(
        "binary",
        lambda **kept: cem.optimize(
            ones, cem.Bernoulli([0.5] * 40), maximize=True, max_evaluations=900, rng=4, **kept
        ),
        "optimization",
    ),
    Use(
        "integers",
        lambda **kept: cem.optimize(
            waves, bounds=BOX, integrality=[1, 0, 1], max_evaluations=900, rng=5, **kept
        ),
        "optimization",
    ),
    Use(
        "constraints",
        lambda **kept: cem.optimize(
            valley,
            bounds=BOX,
            constraints=LinearConstraint(np.ones((1, 3)), -1, 1),
            max_evaluations=700,
            rng=6,
            **kept,
        ),
        "optimization",
    ),
    Use(
        "noisy",
        lambda **kept: cem.optimize(
            noisy, bounds=BOX, noisy=True, pass_rng=True, max_evaluations=900, rng=7, **kept
        ),
        "optimization",
    ),
    Use(
        "two workers",
        lambda **kept: cem.optimize(
            slow_valley, bounds=BOX, method="textbook", max_evaluations=1000, n_jobs=2, rng=3, **kept
        ),
        "optimization",
        counted=False,
    ),
    Use("max-cut", lambda **kept: cem.optimize(GRAPH, max_iterations=30, rng=8, **kept), "optimization"),
    Use(
        "probability",
        lambda **kept: cem.estimate_probability(
            total, [stats.expon()] * 3, level=12, max_evaluations=2500, rng=9, **kept
        ),
        "probability",
    ),
    Use(
        "multilevel",
        lambda **kept: cem.estimate_probability(
            total, cem.Exponential([1.0] * 3), 9, method="multilevel", max_evaluations=4000, rng=10, **kept
        ),
        "probability",
    ),
    Use(
        "quantile",
        lambda **kept: cem.estimate_quantile(
            total, [stats.norm()] * 3, 1e-3, max_evaluations=2500, rng=11, **kept
        ),
        "quantile",
    ),
)


def facts(result: Any) -> bytes:
    """Return all that must not change, as bytes: everything but times."""
    history = {
        name: values.tobytes() for name, values in result.history.to_arrays().items() if name != "seconds"
    }
    names = (
        "x",
        "fun",
        "probability",
        "standard_error",
        "quantile",
        "expected_shortfall",
        "nfev",
        "nit",
        "message",
    )
    numbers = {name: np.asarray(getattr(result, name)).tobytes() for name in names if hasattr(result, name)}
    family = {name: np.asarray(each).tobytes() for name, each in result.family.to_arrays().items()}
    return pickle.dumps((history, numbers, family))


def child(use: Use, path: Path, answer: Path) -> int:
    """Start the run (or go on with it) in a child process."""
    pid = os.fork()
    if pid:
        return pid
    try:
        result = use.call(checkpoint=path, resume=True)
        answer.write_bytes(facts(result))
        os._exit(0)
    except BaseException as error:
        print(f"{use.name}: {error!r}", file=sys.stderr)
        os._exit(1)


def kept(path: Path, kind: str) -> tuple[int, int]:
    """Return how many scores the file holds, and the size of the largest batch."""
    if not path.exists():
        return 0, 0
    entries = Journal.read(path, kind).entries
    return sum(int(entry.done.sum()) for entry in entries), max(
        (len(entry.done) for entry in entries), default=0
    )


class Tried(NamedTuple):
    """One run that was killed until it ended."""

    kills: int
    same: bool
    lost: int  # evaluations a kill at most
    batch: int


def killed_until_done(
    use: Use, expected: bytes, seconds: float, rng: np.random.Generator, folder: Path, most: int
) -> Tried:
    """Kill and resume one run, at most `most` times, and compare how it ends."""
    path, answer = folder / "run.npz", folder / "answer"
    kills, lost, largest = 0, 0, 0
    while True:
        before, _ = kept(path, use.kind)
        COUNTER[:8] = bytes(8)
        pid = child(use, path, answer)
        if kills < most:
            time.sleep(float(rng.uniform(0, 0.6 * seconds)))
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        called = int.from_bytes(COUNTER[:8], "little")
        after, batch = kept(path, use.kind)
        largest = max(largest, batch)
        if os.WIFSIGNALED(status):
            kills += 1
            lost = max(lost, before + called - after) if use.counted else 0
            continue
        same = status == 0 and answer.read_bytes() == expected
        return Tried(kills, same, lost, largest)


def main() -> None:
    parser = make_benchmark_parser(__doc__, seed=1)
    parser.add_argument(
        "--kills", type=positive(int), default=1000, help="how many kills in all (default: 1000)"
    )
    parser.add_argument("--uses", nargs="+", choices=[use.name for use in USES], help="default: all")
    given = parser.parse_args()
    uses = [use for use in USES if given.uses is None or use.name in given.uses]

    print(f"seed {given.seed}\n")
    print(
        f"{'use':<14}{'runs':>6}{'kills':>7}{'identical':>11}{'most lost in a kill':>21}{'largest batch':>15}"
    )
    seeds = np.random.SeedSequence(given.seed).spawn(len(uses))
    everything = []
    for number, (use, seed) in enumerate(zip(uses, seeds, strict=True)):
        rng = np.random.default_rng(seed)
        began = time.perf_counter()
        expected = facts(use.call())
        seconds = time.perf_counter() - began
        share = given.kills * (number + 1) // len(uses) - given.kills * number // len(uses)
        tried: list[Tried] = []
        while (done := sum(each.kills for each in tried)) < share:
            with tempfile.TemporaryDirectory() as folder:
                tried.append(killed_until_done(use, expected, seconds, rng, Path(folder), share - done))
        everything += tried
        print(
            f"{use.name:<14}{len(tried):>6}{done:>7}{sum(each.same for each in tried):>11}"
            f"{max(each.lost for each in tried) if use.counted else '-':>21}"
            f"{max(each.batch for each in tried):>15}",
            flush=True,
        )
    same = sum(each.same for each in everything)
    print(
        f"\n{sum(each.kills for each in everything)} kills, {len(everything)} runs, {same} of them identical"
    )
    sys.exit(0 if same == len(everything) else 1)


if __name__ == "__main__":
    carry_out_benchmark(main)
