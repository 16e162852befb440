"""What command lines have in common: how they are asked, how they print, and how they end."""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

import cem

INTERRUPTED = 130  # what a shell says of a command that Ctrl-C ended: 128 and the number of the signal


def make_parser(prog: str | None, description: str | None, runs: int, seconds: float | None) -> Any:
    """Return a parser of what all commands take: seed, runs, time, jobs, and whether to print JSON.

    Parameters
    ----------
    prog, description : str, optional
    runs : int
        How many there are by default.
    seconds : float, optional
        How long one takes at most by default; None for as long as it takes.
    """
    parser = argparse.ArgumentParser(prog=prog, description=description)
    limit = "none" if seconds is None else f"{seconds:g}"
    parser.add_argument(
        "--seed", type=whole(0), default=1, help="of the first run; the others' follow on (1)"
    )
    parser.add_argument("--runs", type=positive(int), default=runs, help=f"of each ({runs})")
    parser.add_argument("--max-time", type=positive(float), default=seconds, help=f"seconds a run ({limit})")
    parser.add_argument(
        "--jobs", type=whole(1, but=-1), default=1, help="parallel evaluations; -1: all cores (1)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def make_benchmark_parser(
    description: str | None,
    *,
    seed: int | None,
    runs: int | None = None,
    seconds: float | None = None,
    jobs: int | None = None,
) -> Any:
    """Return a parser of ``--json``, and of those of seed, runs, time and jobs whose default is given.

    `seed` is None only where nothing is drawn.
    """
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=description, formatter_class=form)
    for name, kind, default, what in (
        ("--seed", whole(0), seed, "of the first run; the others' follow on"),
        ("--runs", positive(int), runs, "of each, with a seed of its own"),
        ("--max-time", positive(float), seconds, "seconds a run"),
        ("--jobs", positive(int), jobs, "processes at work"),
    ):
        if default is not None:
            parser.add_argument(name, type=kind, default=default, help=f"{what} ({default})")
    parser.add_argument("--json", action="store_true", help="print JSON: the tables, and the text about them")
    return parser


def whole(least: int, but: int | None = None) -> Callable[[str], int]:
    """Return a reader of whole numbers from `least` on, or equal to `but`, for a parser."""

    def number(text: str) -> int:
        value = int(text)
        if value < least and value != but:
            raise ValueError(text)
        return value

    number.__name__ = f"whole number from {least} on"
    return number


def pattern(text: str) -> re.Pattern[str]:
    """Read a regular expression, for a parser."""
    try:
        return re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no regular expression: {error}") from error


def positive(kind: type[int] | type[float], below: float = float("inf")) -> Callable[[str], Any]:
    """Return a reader of positive numbers below a limit, for a parser."""

    def number(text: str) -> Any:
        value = kind(text)
        if not (value > 0 and (value < below or below == float("inf"))):
            raise ValueError(text)
        return value

    number.__name__ = f"positive {kind.__name__}" + ("" if below == float("inf") else f" below {below:g}")
    return number


def carry_out(main: Callable[[], int | None]) -> NoReturn:
    """Run a command and leave Python: no traceback where Ctrl-C ends it, or an extra or a file is missing."""
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)  # noqa: T201 - a command's answer
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # whoever reads has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (ImportError, OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(1)


def carry_out_benchmark(main: Callable[[], int | None]) -> NoReturn:
    """Run a benchmark and leave Python as `carry_out` does; Ctrl-C ends all its runs, not one of them.

    With ``--json`` among the arguments, what it prints comes as JSON, also what there is when it is ended.
    """

    def leave(*_: Any) -> NoReturn:
        raise SystemExit(INTERRUPTED)

    def as_json() -> int | None:
        said = io.StringIO()
        try:
            with redirect_stdout(said):
                return main()
        finally:
            print_json(read_tables(said.getvalue()))

    before = signal.signal(signal.SIGINT, leave)
    try:
        carry_out(as_json if "--json" in sys.argv[1:] else main)
    finally:
        signal.signal(signal.SIGINT, before)


def read_tables(text: str) -> dict[str, list[Any]]:
    """Return the Markdown tables of a text, each a list of rows by the names of its columns, and the rest."""
    tables, rest, header = list[Any](), list[str](), list[str]()
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("| ").split(" | ")]
        if not line.startswith("|"):
            header = []
            rest += [line] if line.strip() else []
        elif not header:
            header = cells
            tables.append([])
        elif set(line) - set("|-: "):
            tables[-1].append(dict(zip(header, map(_number, cells), strict=False)))
    return {"tables": tables, "text": rest}


def _number(cell: str) -> Any:
    try:
        return float(cell.replace(",", ""))
    except ValueError:
        return cell


def check_picture(parser: Any, path: Path | None) -> None:
    """End the command where a picture cannot be written to the path, before anything is computed for it."""
    if path is None:
        return
    if find_spec("matplotlib") is None:
        parser.error("--plot needs matplotlib: pip install cemkit[plots]")
    from matplotlib.backend_bases import FigureCanvasBase

    known = FigureCanvasBase.get_supported_filetypes()
    if path.suffix[1:].lower() not in known:
        parser.error(f"--plot writes {', '.join(sorted(known))}, and no {path.name!r}")
    if not path.absolute().parent.is_dir():
        parser.error(f"--plot: there is no folder {str(path.parent)!r}")


def print_json(value: Any) -> None:
    """Print a value as JSON; arrays as lists, and numbers that JSON does not know as null."""
    print(json.dumps(_plain(value), indent=2))  # noqa: T201


def print_table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], *, heading: bool) -> None:
    """Print rows under the names of their columns, each with a format whose width the heading shares."""
    if heading:
        print("".join(_heading(name, form) for name, form in columns.items()))  # noqa: T201
    for row in rows:
        print("".join(_cell(row.get(name), form) for name, form in columns.items()), flush=True)  # noqa: T201


def keep_installed(names: Sequence[str], packages: Mapping[str, str]) -> list[str]:
    """Return those of the names whose package, where they need one, is installed; print the others.

    Parameters
    ----------
    names : sequence of str
        Of methods that are to be compared.
    packages : mapping of str to str
        The package that a method needs.
    """
    absent = {name: packages[name] for name in names if name in packages and not find_spec(packages[name])}
    for name, package in absent.items():
        print(f"{name} is left out, {package} is not installed: nothing is said about it")  # noqa: T201
    return [name for name in names if name not in absent]


def interrupted(results: Sequence[Any]) -> bool:
    """Whether the last one was ended by Ctrl-C."""
    return bool(results) and results[-1].status is cem.Status.INTERRUPTED


def _width(form: str) -> str:
    return form.partition(".")[0].replace(",", "")


def _heading(name: str, form: str) -> str:
    return f"{name:{_width(form) if form[0] in '<>' else '>' + _width(form)}}"


def _cell(value: Any, form: str) -> str:
    if value is None:
        return f"{'–':>{_width(form).strip('<>')}}"
    return f"{value:{form}}"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    return None if isinstance(value, float) and not np.isfinite(value) else value
