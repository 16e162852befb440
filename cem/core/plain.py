"""Values as JSON has them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import Enum
from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """Return a value in terms of dict, list, str, int, float, bool and None.

    NaN becomes None, infinities "inf" and "-inf"; what JSON has no form for becomes its repr.
    """
    if value is None or isinstance(value, str | bool | np.bool_):
        return bool(value) if isinstance(value, np.bool_) else value
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        number = float(value)
        return None if np.isnan(number) else number if np.isfinite(number) else str(number)
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, np.random.SeedSequence):
        return {"entropy": plain(value.entropy), "spawn_key": plain(value.spawn_key)}
    if hasattr(value, "to_arrays"):
        return {"kind": type(value).__name__, **plain(value.to_arrays())}
    if dataclasses.is_dataclass(value):
        names = [each.name for each in dataclasses.fields(value) if not each.name.startswith("_")]
        return {name: plain(getattr(value, name)) for name in names}
    return repr(value)
