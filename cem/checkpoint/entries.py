"""What is known of each batch, and how it is laid out in arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from cem.families.base import Array, Floats, Mask

LOOKED_AT = 2**17  # numbers of a batch that go into its digest
ROUNDING = 1e-12  # relative difference of rows that other arithmetic explains
UNKNOWN = -1  # number of rows that nothing is known of
BATCH = np.dtype(
    [
        ("hash", np.uint8, 16),
        ("total", np.float64),
        ("scale", np.float64),
        ("elapsed", np.float64),  # seconds
        ("rows", np.int64),
        ("asked", np.int64),  # rows whose constraints are known, or UNKNOWN
        ("improved", np.int64),  # rows that an improvement returned, or UNKNOWN
        ("extra", np.int64),  # evaluations that the improvement made
        ("bits", np.int64),  # length of an improved row kept as bits, or 0
    ]
)
# The arrays of a file: dtype (None: any real numbers) and number of axes.
COLUMNS: dict[str, tuple[Any, int]] = {
    "batches": (BATCH, 1),
    "values": (np.float64, 1),
    "done": (np.bool_, 1),
    "outputs": (np.int64, 1),
    "residuals": (np.float64, 2),
    "improved_values": (np.float64, 1),
    "improved_bits": (np.uint8, 2),
    "improved_x": (None, 2),
}


class Digest(NamedTuple):
    """What tells rows apart: a hash, and a weighted sum with its scale, which rounding hardly changes."""

    hash: bytes
    total: float
    scale: float

    @classmethod
    def of(cls, x: Array) -> Digest:
        """Return the digest of rows; of an even selection of their numbers, where there are very many."""
        flat = np.ascontiguousarray(x.reshape(-1)[:: max(1, -(-x.size // LOOKED_AT))])
        digest = hashlib.blake2b(flat.tobytes(), digest_size=16, key=f"{x.shape} {x.dtype}".encode())
        numbers = flat.astype(np.float64)
        weights = np.linspace(0.5, 1.5, flat.size)
        total, scale = float(numbers @ weights), float(np.abs(numbers) @ weights)
        return cls(digest.digest(), total, scale)

    def resembles(self, other: Digest) -> bool:
        """Whether the rows are the same but for rounding."""
        return abs(self.total - other.total) <= ROUNDING * max(self.scale, other.scale)


NOTHING = Digest(b"", 0.0, 0.0)


@dataclass(eq=False)
class Entry:
    """What is known of one batch.

    Attributes
    ----------
    digest : Digest
        Of the rows.
    values : ndarray, shape (n,) or (n, k)
        Scores in the user's sign; only where `done`.
    done : ndarray of bool, shape (n,)
    elapsed : float
        Seconds since the run began, when it was last written to.
    residuals : ndarray, shape (k, m), or None
        What the constraints said of the rows done.
    improved : tuple of ndarray (k, d), ndarray (k,) and int, or None
        What an improvement made of the rows done, and its evaluations.
    outputs : int or None
        As the batch was asked for (`cem.core.loop.Rows`): k; all batches of a run are, or none.
    """

    digest: Digest
    values: Floats
    done: Mask
    elapsed: float = 0.0
    residuals: Floats | None = None
    improved: tuple[Array, Floats, int] | None = None
    outputs: int | None = None

    @classmethod
    def empty(cls, n: int, digest: Digest = NOTHING, outputs: int | None = None) -> Entry:
        """Return an entry for `n` rows of which nothing is known."""
        values = np.empty((n, outputs) if outputs else n)
        values.fill(np.nan)
        return cls(digest, values, np.zeros(n, dtype=np.bool_), outputs=outputs)


def pack(entry: Entry) -> dict[str, Array]:
    """Return one entry as arrays whose first axis may be joined with that of others'."""
    packed: dict[str, Array] = {"values": entry.values.ravel(), "done": entry.done}
    if entry.outputs is not None:
        packed["outputs"] = np.array([entry.outputs], dtype=np.int64)
    record = np.zeros(1, dtype=BATCH)
    record["hash"] = np.frombuffer(entry.digest.hash, dtype=np.uint8)
    record["total"], record["scale"], record["elapsed"] = (*entry.digest[1:], entry.elapsed)
    record["rows"], record["asked"], record["improved"] = len(entry.values), UNKNOWN, UNKNOWN
    if entry.residuals is not None:
        record["asked"], packed["residuals"] = len(entry.residuals), entry.residuals
    if entry.improved is not None:
        x, packed["improved_values"], record["extra"] = entry.improved
        record["improved"] = len(x)
        if x.dtype == np.uint8 and x.max(initial=0) <= 1:
            record["bits"], packed["improved_bits"] = x.shape[1], np.packbits(x, axis=1)
        else:
            packed["improved_x"] = x
    return packed | {"batches": record}


def unpack(arrays: Mapping[str, Array]) -> list[Entry]:
    """Take joined entries apart.

    Raises
    ------
    ValueError
        Where the arrays do not fit together.
    """
    if not arrays:
        return []
    _check_columns(arrays)
    at = dict.fromkeys(arrays, 0)

    def take(name: str, n: int) -> Array:
        first, at[name] = at.get(name, 0), at.get(name, 0) + n
        if name not in arrays or at[name] > len(arrays[name]):
            raise ValueError(f"{name} is too short")
        return arrays[name][first : at[name]]

    entries = []
    for record in take("batches", len(arrays["batches"])):
        rows, asked, improved, bits = (int(record[name]) for name in ("rows", "asked", "improved", "bits"))
        outputs = int(take("outputs", 1)[0]) if "outputs" in arrays else None
        values = take("values", rows * outputs).reshape(rows, outputs) if outputs else take("values", rows)
        entry = Entry(
            Digest(record["hash"].tobytes(), float(record["total"]), float(record["scale"])),
            values.copy(),
            take("done", rows).copy(),
            float(record["elapsed"]),
            outputs=outputs,
        )
        if asked != UNKNOWN:
            entry.residuals = take("residuals", asked)
        if improved != UNKNOWN:
            if bits == 0:
                x = take("improved_x", improved)
            elif "improved_bits" in arrays and arrays["improved_bits"].shape[1] == -(-bits // 8):
                x = np.unpackbits(take("improved_bits", improved), axis=1, count=bits)
            else:
                raise ValueError(f"improved_bits does not hold {bits} bits a row")
            entry.improved = x, take("improved_values", improved), int(record["extra"])
        entries.append(entry)
    for name, end in at.items():
        if end != len(arrays[name]):
            raise ValueError(f"{name} is too long")
    return entries


def _check_columns(arrays: Mapping[str, Array]) -> None:
    """Check dtypes and shapes, and the numbers of each batch.

    Raises
    ------
    ValueError
        Naming what is wrong.
    """
    for name, array in arrays.items():
        if name not in COLUMNS:
            raise ValueError(f"{name} is no part of a run")
        dtype, ndim = COLUMNS[name]
        right = array.dtype.kind in "fiub" if dtype is None else array.dtype == dtype
        if not right or array.ndim != ndim:
            raise ValueError(f"{name} has dtype {array.dtype} and shape {array.shape}, which no run writes")
    for name in ("batches", "values", "done"):
        if name not in arrays:
            raise ValueError(f"{name} is missing")
    batches = arrays["batches"]
    least = {"rows": 0, "asked": UNKNOWN, "improved": UNKNOWN, "extra": 0, "bits": 0}
    for name, bound in least.items():
        if (wrong := batches[name] < bound).any():
            raise ValueError(f"{name} of a batch is {batches[name][wrong][0]}")
    if (arrays.get("outputs", np.zeros(1)) < 0).any():
        raise ValueError("outputs of a batch is negative")
    if not (np.isfinite(batches["elapsed"]) & (batches["elapsed"] >= 0)).all():
        raise ValueError("elapsed of a batch is no number of seconds")
    if (batches["asked"] > batches["rows"]).any():
        raise ValueError("asked of a batch is more than its rows")
