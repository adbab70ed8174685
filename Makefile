# Liên Thông. `make` alone lists what there is to do.
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The stamp remembers what was installed; pyproject.toml newer than it installs again.
$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 || { \
	  test "$$(id -u)" = 0 || { echo "python3-venv is missing: ask root for 'apt-get install python3-venv'"; exit 1; }; \
	  echo "installing python3-venv"; apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null && \
	  $(PYTHON) -m venv --clear $(VENV); }
	@echo "installing lienthong and its tools into $(VENV)"
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

.PHONY: install
install: $(VENV)/.installed ## install everything into .venv

.PHONY: format
format: install ## format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix --quiet .

.PHONY: lint
lint: install ## format, lint, types and import rules, changing nothing
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-cache > .venv/lint-imports.log || { cat .venv/lint-imports.log; exit 1; }

.PHONY: test
test: install ## run all tests; brings its own RabbitMQ and PostgreSQL
	@$(BIN)/python -m pytest --cov --cov-report=term tests

.PHONY: check
check: lint test ## everything main must pass
