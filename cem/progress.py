"""A progress bar, where tqdm is installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Show = Callable[[int, str], None]


@contextmanager
def shown(wanted: bool | None, total: int | None) -> Iterator[Show | None]:
    """Show a bar of evaluations for as long as the context lasts; None where none is wanted.

    What it gives is called with the evaluations so far and a short text.

    Raises
    ------
    TypeError
        If `wanted` is no bool.
    ImportError
        If tqdm is not installed.
    """
    if wanted not in (True, False, None):
        raise TypeError(f"progress must be True or False, got {wanted!r}.")
    if not wanted:
        yield None
        return
    try:
        from tqdm.auto import tqdm
    except ImportError as error:
        raise ImportError("progress=True needs tqdm: pip install cemkit[progress]") from error
    with tqdm(total=total, unit="evaluation") as bar:

        def show(evaluations: int, text: str) -> None:
            bar.set_postfix_str(text, refresh=False)
            bar.update(evaluations - bar.n)

        yield show
