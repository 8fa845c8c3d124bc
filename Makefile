# `make demo` and `make test` need only Python 3.10 or newer and access to PyPI.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# One worker per core, but at most 8: a worker that has imported TensorFlow takes up to 2 GB.
# worksteal keeps the tests of a file together, so that what they share is made once, and lets a
# worker that is done take over tests of the others.
PYTEST := $(BIN)/pytest -n logical --maxprocesses 8 --dist worksteal --durations 15
export CNNKIT_RUNS ?= runs

.PHONY: all demo install dev lint fmt test test-slow docs wheel bench clean

all: lint test

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "cnnkit needs Python 3.10 or newer: make PYTHON=python3.11 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e .
	touch $@

$(VENV)/.dev: $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check -e ".[dev]"
	touch $@

install: $(VENV)/.installed

dev: $(VENV)/.dev

demo: install
	$(BIN)/cnnkit train configs/digits_lenet5.yaml
	$(BIN)/cnnkit evaluate --require "accuracy>=0.975"
	$(BIN)/python scripts/test_images.py 5 | $(BIN)/cnnkit predict - --topk 2
	@echo "The run is the newest folder in $(CNNKIT_RUNS)/. Its name is printed above."

lint: dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell cnnkit scripts docs configs README.md CHANGELOG.md

fmt: dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: dev
	$(PYTEST)

test-slow: dev
	$(PYTEST) -m slow

docs: dev
	$(BIN)/python scripts/generate_cli_docs.py
	$(BIN)/python scripts/generate_schema.py
	$(BIN)/python scripts/generate_backbones_docs.py

bench: install
	$(BIN)/python scripts/bench_data.py

wheel: dev
	$(BIN)/python -m build --wheel
	$(BIN)/python scripts/build_predict_wheel.py dist

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
