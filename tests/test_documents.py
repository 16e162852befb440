"""The Python blocks of the README, of CONTRIBUTING and of the pages run as they stand."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES += sorted((ROOT / "docs" / "howto").glob("*.md"))
BLOCKS = [
    pytest.param(code, page, id=f"{page.relative_to(ROOT)} {i}")
    for page in PAGES
    for i, code in enumerate(re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL), 1)
]


def test_there_are_blocks():
    assert sum("README" in each.id for each in BLOCKS) >= 3
    assert sum("CONTRIBUTING" in each.id for each in BLOCKS) >= 3


@pytest.mark.parametrize(("code", "page"), BLOCKS)
def test_block_runs(code, page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(code, str(page), "exec"), {"__name__": "page"})


@pytest.mark.parametrize(
    "example", sorted((ROOT / "docs" / "gallery").glob("*.py")), ids=lambda each: each.stem
)
def test_an_example_is_a_page(example):
    assert len(example.read_text("utf-8").splitlines()) <= 80
