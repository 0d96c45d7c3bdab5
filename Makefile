# make run   sets everything up and opens the studio on http://127.0.0.1:7860
# make test  sets everything up and runs every check
# The set-up lives in .venv; it is done once, and again when a requirements file changes.

VENV ?= .venv
BIN := $(VENV)/bin
# Two at a time, a file in one process, so that a server is started once for its tests.
PYTEST ?= -n 2 --dist loadfile
export VENV PYTHON

.PHONY: help run test fast lint format bench examples pictures readme setup setup-dev clean

help:
	@sed -n '1,3s/^# //p' Makefile
	@echo "also: fast (tests without slow and browser), lint, format, bench, examples, pictures, readme, clean"

setup:
	@scripts/setup.sh requirements.txt

setup-dev:
	@scripts/setup.sh requirements-dev.txt

run: setup
	$(BIN)/python app.py

test: lint
	$(BIN)/python -m pytest $(PYTEST)

fast: setup-dev
	$(BIN)/python -m pytest -m "not slow and not browser" $(PYTEST)

lint: setup-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup-dev
	$(BIN)/python -m benchmarks

examples: setup
	$(BIN)/python scripts/make_examples.py

pictures: setup-dev
	$(BIN)/python scripts/take_pictures.py

readme: setup
	$(BIN)/python scripts/update_readme.py

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
