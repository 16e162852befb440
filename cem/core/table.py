"""How results look in a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape


def html_table(title: str, rows: Mapping[str, str]) -> str:
    """Return a table of two columns, names and values, as HTML."""
    head = f'<tr><th colspan="2" style="text-align:left">{escape(title)}</th></tr>'
    body = "".join(
        f'<tr><th scope="row" style="text-align:left">{escape(name)}</th>'
        f'<td style="text-align:left;white-space:pre-wrap">{escape(value)}</td></tr>'
        for name, value in rows.items()
    )
    return f"<table>{head}{body}</table>"
