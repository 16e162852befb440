"""How results become tables, in a notebook and for pandas."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any


def html_table(title: str, rows: Mapping[str, str]) -> str:
    """Return a table of two columns, names and values, as HTML."""
    head = f'<tr><th colspan="2" style="text-align:left">{escape(title)}</th></tr>'
    body = "".join(
        f'<tr><th scope="row" style="text-align:left">{escape(name)}</th>'
        f'<td style="text-align:left;white-space:pre-wrap">{escape(value)}</td></tr>'
        for name, value in rows.items()
    )
    return f"<table>{head}{body}</table>"


def pandas_for(call: str) -> Any:
    """Return pandas, or say what `call` needs.

    Raises
    ------
    ImportError
        If it is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError(f"{call} needs pandas: pip install cemkit[frames]") from error
    return pd
