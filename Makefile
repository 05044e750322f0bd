# `make` alone explains itself. Everything is installed into .venv inside this checkout.
.DEFAULT_GOAL := help
SHELL := /bin/sh

BIN := .venv/bin
PY := $(BIN)/python
GREENDEAL := $(BIN)/greendeal

# What a person may set on the command line: make demo KEEP=1 DB=postgresql
KEEP ?=
CHAOS ?=
DB ?=
RUNS ?= 5
TESTS ?= tests
WORKERS ?= 2
CASES ?=
RECORD ?=
STEPS ?=
N ?=
demo-flags = $(if $(KEEP),--keep) $(if $(CHAOS),--chaos) $(if $(DB),--db $(DB))
lock = $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url --no-emit-find-links --quiet

.PHONY: help setup demo chaos test check tck edc lint lock docs bench wheel clean

help: ## Show what there is to do here
	@echo "make TARGET   (the first one sets everything up by itself)"
	@echo
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  %-8s %s\n", $$1, $$2}' Makefile

setup: ## Make .venv and install the locked packages and the project (repeats only what changed)
	@sh .ci/setup

demo: setup ## See it work: five connectors trade data on this machine (KEEP=1 leaves them running, CHAOS=1 breaks them, DB=sqlite|postgresql)
	@$(GREENDEAL) demo $(demo-flags)

chaos: setup ## Run the demo RUNS times while connectors are killed under it, and count (RUNS=5, DB=sqlite|postgresql)
	@$(GREENDEAL) demo --chaos --runs $(RUNS) $(if $(DB),--db $(DB))

test: setup ## Run the tests (TESTS=tests/storage for a part, WORKERS=0 for one process)
	@$(PY) -m pytest -n $(WORKERS) --dist loadfile $(PYTEST) $(TESTS)

check: lint test ## Everything that must hold before a change is merged: style, types, import floors, documents, tests

tck: setup ## Run the official conformance kit of the Dataspace Protocol; needs Java and Maven (CASES="CN: MET" for a part, RECORD=1 keeps the results)
	@$(PY) -m tests.conformance.kit.run $(if $(RECORD),--record) $(CASES)

edc: setup ## Deal with a real Eclipse EDC in both roles, a line per step; needs Java and Maven (STEPS="EDC-C: EDC-P:1" for a part, N=300 negotiations in a row, RECORD=1)
	@$(PY) -m tests.conformance.edc.walk $(if $(RECORD),--record) $(if $(N),--row $(N)) $(STEPS)

lint: setup ## Style, types and import floors only
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

lock: setup ## Resolve the newest allowed versions into the three lock files
	@$(lock) pyproject.toml --extra all --group dev --upgrade --output-file requirements-dev.lock
	@$(lock) pyproject.toml --extra all --constraint requirements-dev.lock --output-file requirements.lock
	@$(lock) --group build --constraint requirements-dev.lock --output-file requirements-build.lock
	@echo "Now run make check."

docs: setup ## Write the pages of docs/reference that are made from the code
	@$(PY) -m tests.docs.reference.generate

bench: setup ## Measure this machine: every measurement of tests/bench in turn
	@for file in tests/bench/bench_*.py $(filter-out %/chaos/__main__.py,$(wildcard tests/bench/*/__main__.py)); do \
		echo "== $$file"; $(PY) "$$file" || exit 1; done

wheel: setup ## Build the wheel into dist/
	@$(PY) -m hatchling build --target wheel

clean: ## Remove caches and build products (.venv stays)
	@rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find connector tests .ci -name __pycache__ -type d -prune -exec rm -rf {} +
