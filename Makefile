# Tasks of kmsfast. `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Files of tests are shared out among as many processes as there are processors, 4 at most.
SHARED := --numprocesses $(shell getconf _NPROCESSORS_ONLN) --maxprocesses 4 --dist loadfile --no-loadscope-reorder --benchmark-disable

include tests/c/tests.mk
include tests/clients/clients.mk
include benchmarks/bench.mk
include benchmarks/gates/gates.mk
include docs/docs.mk
include examples/demo/demo.mk
include tools/wheels/wheels.mk

.PHONY: help install test test-python test-slow lint format clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | sort | expand -t 14

install: $(STAMP) ## kmsfast and its tools into .venv (rebuilds the C core when it changed)

$(BIN)/python:
	$(PYTHON) tools/make_venv.py $(VENV)

$(STAMP): $(BIN)/python pyproject.toml setup.py $(wildcard csrc/*.[ch] csrc/*.txt csrc/*.py)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

test: install $(CLIENTS_STAMP) $(WHEELS_STAMP) $(DOCS_STAMP) build/c/test/run lint ## everything that must pass, in about ten minutes
	$(BIN)/python -m pytest $(SHARED)

test-python: install ## the tests in Python alone: no C suite, no clients of others
	$(BIN)/python -m pytest -m 'not slow and not sources' $(addprefix tests/,compat differential properties unit vectors)

test-slow: install ## the long vectors and soaks as well
	$(BIN)/python -m pytest -m 'slow or not slow'

lint: install ## ruff, mypy (strict) and the layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: install ## rewrites the Python sources in the project's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## removes what the tasks made, except .venv
	rm -rf build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name '*.so' -not -path './.venv/*' -delete
