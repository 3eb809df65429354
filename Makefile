# Everything a person or CI does here. `make` alone lists it. Needs Python 3.11 or newer and make.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# The first Python that is new enough; another one: make PYTHON=/path/to/python demo
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done || echo python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
ARGS ?=
# All tests: two files at a time, each with a server and a browser of its own.
ALL ?= --numprocesses=2 --dist=loadfile

##@ Run it
demo: $(VENV)/.runs ## Both vendors' completions travel through the gateway into a made-up TEMIS; ends by itself
	@$(BIN)/gateway demo $(ARGS)

up: $(VENV)/.runs ## The same, and it stays up for you to try
	@$(BIN)/gateway demo --serve $(ARGS)

##@ Change it
test: $(VENV)/.tests ## All tests but the large ones; one: make test ARGS="tests/unit/model -k states"
	@$(BIN)/python -m pytest $(or $(ARGS),$(ALL))

check: format lint types imports test ## What CI runs: format, lint, types, import direction, tests

format: $(VENV)/.tests ## Whether every file is formatted; to format them: .venv/bin/ruff format
	@$(BIN)/ruff format --check

lint: $(VENV)/.tests ## ruff
	@$(BIN)/ruff check

types: $(VENV)/.tests ## mypy --strict
	@$(BIN)/mypy

imports: $(VENV)/.tests ## Whether imports only point down
	@$(BIN)/lint-imports --no-logo

contracts: $(VENV)/.tests ## Writes schemas, OpenAPI and generated pages anew from the code
	@UPDATE_GENERATED=1 $(BIN)/python -m pytest $$(grep -rlE 'tests(\.| import )generated' tests --include='test_*.py')
	@git --no-pager diff --stat -- contracts docs

bench: $(VENV)/.tests ## Ours beside yardsticks and other queues, into docs/performance.md; a try: ARGS=--quick
	@$(PIP) install --constraint constraints.txt --editable '.[bench]'
	@$(BIN)/python -m bench $(ARGS)

test-large: $(VENV)/.tests ## The runs of a million rows: minutes to hours, gigabytes of disk
	@$(BIN)/python -m pytest -m large $(ARGS)

package: $(VENV)/.tests ## Builds the wheel and checks that it holds every file of the package
	@.ci/package $(BIN)/python

clean: ## Removes what these commands made, .venv included; never data or keys
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find gateway tests bench -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## This list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

# Installed anew only when what is to be installed has changed.
$(VENV)/.runs: pyproject.toml constraints.txt | $(BIN)/pip
	@echo "Installing the gateway into $(VENV), which takes up to a minute ..."
	@$(PIP) install --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.tests: pyproject.toml constraints.txt | $(BIN)/pip
	@echo "Installing the gateway and its tests into $(VENV), which takes a minute or two ..."
	@$(PIP) install --constraint constraints.txt --editable '.[test]'
	@touch $@ $(VENV)/.runs

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Python 3.11 or newer is needed; '$(PYTHON)' is $$($(PYTHON) --version 2>&1 | head -n 1)." >&2; \
		echo "If another one is installed, name it: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@echo "Creating $(VENV) with $$($(PYTHON) --version) ..."
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "On Debian and Ubuntu the package python3-venv is needed as well." >&2; exit 1; }

.PHONY: demo up test check format lint types imports contracts bench test-large package clean help
