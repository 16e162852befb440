"""What a release says of itself is the same everywhere."""

import re
from pathlib import Path

import pytest

import cem

ROOT = Path(__file__).parents[1]


def read(name):
    path = ROOT / name
    if not path.exists():
        pytest.skip(f"{name} is not in this tree")
    return path.read_text(encoding="utf-8")


def test_the_changelog_begins_with_this_version():
    heading = next(line for line in read("CHANGELOG.md").splitlines() if line.startswith("## "))
    assert re.fullmatch(rf"## {re.escape(cem.__version__)} \(\d{{4}}-\d\d-\d\d\)", heading)


def test_the_citation_is_in_step():
    said = read("CITATION.cff")
    assert f"\nversion: {cem.__version__}\n" in said
    date = re.search(r"^date-released: (\S+)$", said, flags=re.MULTILINE)[1]
    assert f"## {cem.__version__} ({date})" in read("CHANGELOG.md")


def test_the_hosted_checks_are_the_same():
    assert re.findall(r"- run: (.*)", read(".github/workflows/checks.yml")) == [".ci/run"]
