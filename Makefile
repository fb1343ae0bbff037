# The two commands: `make up` serves, `make test` runs what must pass before every commit.
SHELL := /bin/sh
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
LOCK := pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe \
	--no-emit-index-url --no-emit-trusted-host --no-emit-find-links

# The tests start hundreds of processes; without kept bytecode each would compile the service anew.
unexport PYTHONDONTWRITEBYTECODE

# Modules start in their order: tests/conftest.py puts those first that wait for servers.
PYTEST := $(BIN)/pytest -q --numprocesses=auto --dist=loadfile --no-loadscope-reorder

# Under another name, so that `make -n test` prints the tests and does not run them.
CHECKS := $(MAKE)

.PHONY: help setup up test test-all checks bench chaos lock format clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 10

$(VENV)/runtime.stamp: requirements/runtime.txt pyproject.toml packages/openai-command/pyproject.toml
	@sh infra/venv.sh $(PYTHON) $(VENV)
	@echo "installing the locked requirements into $(VENV) ..."
	@$(PIP) install --require-hashes --no-deps -r requirements/runtime.txt
	@$(PIP) install --no-deps --no-build-isolation --editable . ./packages/openai-command
	@touch $@

$(VENV)/dev.stamp: $(VENV)/runtime.stamp requirements/dev.txt
	@$(PIP) install --require-hashes --no-deps -r requirements/dev.txt
	@touch $@

# Without a network the service runs without its own models, so this does not end the others.
$(VENV)/models.stamp: $(VENV)/runtime.stamp
	@$(BIN)/plugin models fetch --dir $(VENV)/share/gpt-plugin/models && touch $@ || \
		echo "going on without models on this machine; the next make tries again"

setup: $(VENV)/runtime.stamp $(VENV)/models.stamp  ## make .venv with what is pinned, and the models

up: setup  ## set up, make a first key if there is none, serve until Ctrl-C
	@exec $(BIN)/plugin up

test: $(VENV)/dev.stamp $(VENV)/models.stamp  ## the gate: everything that must pass, about 9 minutes on two cores
	@echo "make test takes about 9 minutes on two cores"
	@sh infra/gate.sh $(CHECKS) $(PYTEST)

test-all: $(VENV)/dev.stamp $(VENV)/models.stamp  ## the gate with every test in full size, about 30 minutes on two cores
	@echo "make test-all takes about 30 minutes on two cores"
	@sh infra/gate.sh $(CHECKS) $(PYTEST) --long

# A command a line: a shell between would survive it when Ctrl-C ends the gate.
checks: $(VENV)/dev.stamp  ## format, lint, types, imports, our contract: what runs beside the tests
	@echo "== format"
	@$(BIN)/ruff format --quiet --check .
	@echo "== lint"
	@$(BIN)/ruff check --quiet .
	@echo "== types"
	@$(BIN)/mypy
	@echo "== imports"
	@$(BIN)/lint-imports --no-logo
	@echo "== contract"
	@$(BIN)/plugin contract --check

bench: $(VENV)/dev.stamp $(VENV)/models.stamp  ## measure; prints figures, asserts nothing
	@for script in tests/bench/bench_*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

chaos: $(VENV)/dev.stamp $(VENV)/models.stamp  ## break things under load; fails where a promise does
	@for script in tests/bench/chaos_*.py; do echo "== $$script"; \
		$(BIN)/python -m "tests.bench.$$(basename "$$script" .py)" || exit 1; done

format: $(VENV)/dev.stamp  ## format and mend what can be mended
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock:  ## write requirements/*.txt anew (needs pip-tools)
	@$(LOCK) --all-build-deps --extra engine --output-file requirements/runtime.txt pyproject.toml
	@$(LOCK) --output-file requirements/dev.txt requirements/dev.in

clean:  ## remove what the other targets made, but not ./data
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
