# Each target makes what it needs from nothing, in an environment of its own below VENV.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

# The lowest versions that pyproject.toml allows, and what is tried with them and with the newest.
LOWEST = $(shell $(PYTHON) -c "import tomllib; print(*(each.replace('>=', '==') for each in \
	tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies']))")
SELECTION := tests/core tests/families/test_family_protocol.py tests/families/test_bernoulli_tree.py \
	tests/optimization tests/plans/test_strings.py tests/problems/test_maxcut_search.py \
	tests/rare_events/test_quantiles.py tests/evaluation/test_joblib_insides.py

.PHONY: demo base test test-all coverage mutation fuzz lowest newest packages lint docs clean

demo: $(VENV)/installed
	$(BIN)/python scripts/demo.py

base: $(VENV)/installed
	$(BIN)/python tests/base_install.py

test: $(VENV)/tested
	$(BIN)/python -m pytest -n auto

test-all: $(VENV)/tested
	$(BIN)/python -m pytest -n auto -m "slow or not slow"

fuzz: $(VENV)/tested
	$(BIN)/python scripts/fuzz.py --max-time 600

coverage: $(VENV)/developed
	$(BIN)/python -m pytest -n auto --cov=cem --cov-branch --cov-report=term:skip-covered

mutation: $(VENV)/developed
	$(BIN)/python scripts/mutation.py --survivors

lowest: $(VENV)/bin/python
	$(PIP) $(LOWEST) pytest --editable .
	$(BIN)/python -m pytest $(SELECTION)

newest: $(VENV)/bin/python
	$(PIP) --upgrade pytest --editable .
	$(BIN)/python -m pytest $(SELECTION)

packages: $(VENV)/bin/python
	$(PIP) build
	.ci/packages $(BIN)/python

lint: $(VENV)/developed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict -p cem -p problems

docs: $(VENV)/documented
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(VENV)/bin/python pyproject.toml
	$(PIP) --editable .
	@touch $@

$(VENV)/tested: $(VENV)/bin/python pyproject.toml
	$(PIP) --editable ".[test]"
	@touch $@ $(VENV)/installed

$(VENV)/developed: $(VENV)/bin/python pyproject.toml
	$(PIP) --editable ".[dev]"
	@touch $@ $(VENV)/tested $(VENV)/installed

$(VENV)/documented: $(VENV)/bin/python pyproject.toml
	$(PIP) --editable ".[docs]"
	@touch $@ $(VENV)/installed

clean:
	rm -rf $(VENV) docs/_build docs/auto_gallery
