"""Reproducible random streams: each is named by a purpose and counters, so any can be made again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from numbers import Integral
from typing import TypeAlias

import numpy as np

RngLike: TypeAlias = int | np.random.Generator | np.random.SeedSequence | None


class Purpose(IntEnum):
    """What a stream is for: the first counter of its key."""

    SAMPLE = 0
    UPDATE = 1
    OBJECTIVE = 2
    IMPROVE = 3
    PROBE = 4
    PLAN = 5


@dataclass(frozen=True)
class Streams:
    """The tree of random streams of one run.

    Parameters
    ----------
    entropy : int or tuple of int
        Repeats the run.
    prefix : tuple of int
        The spawn key of a user's own `SeedSequence`, in front of every key.
    """

    entropy: int | tuple[int, ...]
    prefix: tuple[int, ...] = ()

    @classmethod
    def from_rng(cls, rng: RngLike) -> Streams:
        """Make the streams from what a user gives as `rng`.

        An int or `SeedSequence` names the run; a `Generator` gives fresh entropy at each call;
        None takes it from the operating system. The name and the meaning of the argument are those of
        https://scientific-python.org/specs/spec-0007/.

        Raises
        ------
        TypeError
            For anything else.
        ValueError
            For a negative int.
        """
        if rng is None:
            return cls(_plain(np.random.SeedSequence().entropy))
        if isinstance(rng, np.random.SeedSequence):
            return cls(_plain(rng.entropy), tuple(rng.spawn_key))
        if isinstance(rng, np.random.Generator):
            words = rng.integers(0, 2**32, size=4, dtype=np.uint64)
            return cls(sum(int(word) << (32 * i) for i, word in enumerate(words)))
        if isinstance(rng, Integral) and not isinstance(rng, bool):
            if rng < 0:
                raise ValueError(f"rng must be a non-negative int, got {rng}.")
            return cls(int(rng))
        raise TypeError(
            "rng must be None, a non-negative int, a numpy.random.Generator or a "
            f"numpy.random.SeedSequence; got {type(rng).__name__}."
        )

    @property
    def seed(self) -> int | np.random.SeedSequence:
        """What, given as `rng`, repeats the run."""
        if isinstance(self.entropy, int) and not self.prefix:
            return self.entropy
        return np.random.SeedSequence(self.entropy, spawn_key=self.prefix)

    def generator(self, purpose: Purpose, *key: int) -> np.random.Generator:
        """Make the generator of the stream named by `purpose` and `key`."""
        sequence = np.random.SeedSequence(self.entropy, spawn_key=(*self.prefix, int(purpose), *key))
        return np.random.Generator(np.random.PCG64(sequence))


def _plain(entropy: int | Sequence[int] | None) -> int | tuple[int, ...]:
    if entropy is None:
        raise ValueError("a SeedSequence without entropy cannot name a run.")
    if isinstance(entropy, Integral):
        return int(entropy)
    return tuple(int(word) for word in np.asarray(entropy).ravel())
