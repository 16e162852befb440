"""Functions on arrays that numba compiles where it is there; where it is not, they run on lists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])

try:
    from numba import njit

    COMPILED = True
except ImportError:
    COMPILED = False


def compiled(function: F) -> F:
    """Compile a function, where numba is there."""
    return cast(F, njit(cache=True, nogil=True)(function)) if COMPILED else function
