# make run and make test set up what they need; both can be called again at any time.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
JOBS ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup run test test-slow check bench lock

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## create .venv with the pinned packages

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("sitrep needs Python 3.11 or newer, found " + sys.version.split()[0] + "; say which: make PYTHON=python3.11 ...") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

run: $(STAMP) ## train, evaluate, predict and compare on the hand-labelled articles (about 8 minutes)
	$(BIN)/python train.py model=lookup
	$(BIN)/python evaluate.py run=latest:ner
	$(BIN)/python train.py experiment=quickstart
	$(BIN)/python evaluate.py run=latest:ner
	$(BIN)/python train.py experiment=quickstart task=topics
	$(BIN)/python evaluate.py run=latest:topics
	$(BIN)/python predict.py run=[latest:ner,latest:topics] input=data/samples output=models/samples.jsonl backend=torch overwrite=true
	$(BIN)/python compare.py runs=[$$(ls -d models/articles-ner-lookup/* | tail -n 1),latest:ner] output=models/comparison

test: $(STAMP) ## all tests but the slow ones
	$(BIN)/python -m pytest -q -n $(JOBS) -m "not slow"

test-slow: $(STAMP) ## whole jobs with the real encoder
	$(BIN)/python -m pytest -q -m slow

check: $(STAMP) ## linter and type checker
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(STAMP) ## the tables in docs/results.md
	$(BIN)/python benchmarks/quality.py

lock: ## pin today's newest packages in requirements.lock
	$(PYTHON) -m venv --clear .venv-lock
	.venv-lock/bin/python -m pip install --quiet torch==2.13.0 setuptools -e '.[dev]'
	{ echo "# Every package that make setup installs, pinned. Made by: make lock"; \
	  .venv-lock/bin/python -m pip freeze --all --exclude-editable | grep -v '^pip==' | sed 's/+cpu$$//'; } > requirements.lock
	rm -rf .venv-lock
