"""The examples of the docstrings give what they say."""

import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

import cem
import problems

MODULES = [
    each.name
    for package in (cem, problems)
    for each in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    if not each.name.endswith("__main__")
    and ">>>" in Path(each.module_finder.find_spec(each.name).origin).read_text("utf-8")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_give_what_they_say(name):
    if name.startswith("cem.integrations"):
        pytest.importorskip(
            {"optuna_sampler": "optuna", "sklearn_search": "sklearn"}[name.rpartition(".")[2]]
        )
    tried = doctest.testmod(importlib.import_module(name))
    assert tried.attempted
    assert not tried.failed


@pytest.mark.parametrize(
    "name", [each for each in cem.__all__ if not hasattr(getattr(cem, each), "__path__")]
)
def test_every_public_name_has_an_example_and_a_place_in_the_reference(name):
    if (value := getattr(cem, name)) is not cem.information:
        assert ">>>" in value.__doc__
        reference = Path(__file__).parents[1] / "docs" / "reference.md"
        assert f":: cem.{name}\n" in reference.read_text("utf-8")
