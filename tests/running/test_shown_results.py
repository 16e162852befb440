"""Results in notebooks, and to a type checker."""

import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import cem


class Cells(HTMLParser):
    """The cells of a table: names and values by turns, after the title."""

    def __init__(self, html):
        super().__init__()
        self.open, self.cells = [], []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)
        if tag in ("th", "td"):
            self.cells.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.cells[-1] += data

    def rows(self):
        return dict(zip(self.cells[1::2], self.cells[2::2], strict=True))


def test_a_result_is_a_table():
    r = cem.optimize(lambda x: float((x**2).sum()), bounds=[(-1, 1)], rng=1, max_evaluations=50)
    r["remark"] = "<b>a < b & c</b>"
    rows = Cells(r._repr_html_()).rows()
    assert list(rows) == list(r)
    assert rows["fun"] == str(r.fun)
    assert rows["remark"] == "<b>a < b & c</b>"
    assert rows["status"].startswith(r.status.name)


def test_an_estimate_is_a_table():
    e = cem.estimate_probability(np.sum, cem.Exponential([1.0, 1.0]), level=8, rng=1)
    cells = Cells(e._repr_html_())
    assert cells.cells[0] == "ProbabilityEstimate"
    low, high = e.confidence_interval()
    assert cells.rows()["probability"] == f"{e.probability:.6g}  (95 % interval {low:.6g} … {high:.6g})"
    assert cells.rows()["message"] == e.message
    assert repr(e).count("\n") + 1 == len(cells.rows())


def test_a_quantile_is_a_table():
    q = cem.estimate_quantile(np.sum, cem.Exponential([1.0, 1.0]), 1e-2, rng=1)
    rows = Cells(q._repr_html_()).rows()
    assert rows["quantile"].startswith(f"{q.quantile:.6g}")
    assert rows["expected shortfall"].startswith(f"{q.expected_shortfall:.6g}")


SCRIPT = """
import numpy as np
import cem

r = cem.optimize(lambda x: float((x**2).sum()), bounds=[(-1, 1)], rng=1)
reveal_type(r.x)
reveal_type(r.fun)
reveal_type(r.status)
reveal_type(r.history.best)
e = cem.estimate_probability(np.sum, cem.Exponential([1.0]), level=8.0)
reveal_type(e.probability)
reveal_type(e.confidence_interval().low)
q = cem.estimate_quantile(np.sum, cem.Exponential([1.0]), 1e-3)
reveal_type(q.quantile)
cem.optimize(3, boundz=[(-1, 1)])
r.nfev.upper()
"""


@pytest.mark.slow
def test_a_users_script_is_typed(tmp_path):
    pytest.importorskip("mypy")
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", tmp_path / "cache", script],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    said = [line.split(": ", 1)[1] for line in done.stdout.splitlines() if line.startswith(str(script))]
    types = [line.split('"')[1] for line in said if line.startswith("note: Revealed")]
    assert [each.partition("[")[0].rpartition(".")[2] for each in types] == [
        "ndarray",
        "float",
        "Status",
        "ndarray",
        "float",
        "float",
        "float",
    ], done.stdout
    errors = [line for line in said if line.startswith("error")]
    assert len(errors) == 2, done.stdout
    assert "boundz" in errors[0]
    assert "upper" in errors[1]
