# Liên Thông. `make` alone lists what there is to do.
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# The first one that really runs: a version manager's `python3.11` may be there only to say that it is not installed.
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3 /usr/bin/python3; do \
  $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$python && break; done)

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The stamp remembers what was installed: pyproject.toml newer than it installs again; without it the environment was
# left half-made, and is made anew.
$(STAMP): pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: apt-get install python3" >&2; exit 1; }
	@test -e $@ || $(PYTHON) -m venv --clear $(VENV) >/dev/null 2>&1 || { \
	  test "$$(id -u)" = 0 && command -v apt-get >/dev/null || { \
	    echo "Python's module venv is missing; as root: apt-get install python3-venv" >&2; exit 1; }; \
	  echo "cài đặt / installing python3-venv" >&2; \
	  log=$$(mktemp); { apt-get update -qq && \
	    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv; } \
	    >"$$log" 2>&1 || { cat "$$log" >&2; exit 1; }; rm -f "$$log"; \
	  /usr/bin/python3 -m venv --clear $(VENV); }
	@echo "cài đặt / installing lienthong and its tools into $(VENV)"
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

.PHONY: install
install: $(STAMP) ## install everything into .venv

.PHONY: format
format: install ## format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix --quiet .

.PHONY: lint
lint: install ## check format, style, types and import rules, changing nothing
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-cache >$(VENV)/lint-imports.log || { cat $(VENV)/lint-imports.log; exit 1; }

# A process for each core, four at most, each with servers of its own; a file's tests share what they start, so they stay
# together. The files that take longest come first: one begun last would keep the others waiting.
TESTS = $(BIN)/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile --no-loadscope-reorder \
	  tests/end_to_end tests/integration tests/contract tests/unit

.PHONY: test
test: install ## run all tests; brings its own RabbitMQ and PostgreSQL
	@$(TESTS)

# Not in every run: it also follows the workers, which then need half as much processor time again.
.PHONY: coverage
coverage: install ## run all tests and say which lines they leave out
	@$(TESTS) --cov --cov-report=term

MINUTES ?= 1

$(VENV)/.fuzz: $(STAMP)
	@echo "cài đặt / installing the fuzzer into $(VENV)"
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --editable '.[dev,fuzz]'
	@touch $@

.PHONY: fuzz
fuzz: $(VENV)/.fuzz ## feed hostile bytes to whatever a stranger reaches, guided by coverage, for MINUTES=1
	@$(BIN)/python -m tests.fuzz --minutes $(MINUTES)

.PHONY: check
check: lint test fuzz ## do everything main has to pass

.PHONY: bench
bench: install ## measure what signatures cost, payloads, a directory of full size, a million documents, a flood
	@$(BIN)/python tests/bench/payload.py
	@$(BIN)/python tests/bench/directory.py
	@$(BIN)/python tests/bench/search.py
	@$(BIN)/python tests/bench/flood.py
	@$(BIN)/python tests/bench/signature.py

.PHONY: lock
lock: install ## choose anew the exact versions of what is in the image
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@for lock in requirements:'pyproject.toml --extra reports --extra traces' build:deploy/build.in; do \
	  $(BIN)/uv pip compile $${lock#*:} --output-file "deploy/$${lock%%:*}.lock" --upgrade --quiet \
	    --python-version 3.13 --generate-hashes --no-annotate --custom-compile-command 'make lock'; done

SEED ?= 2026
FAULTS ?= 22
drill: MINUTES = 2

.PHONY: drill
drill: install ## break a working exchange FAULTS=22 times in MINUTES=2, by SEED=2026, and show that nothing is lost
	@$(BIN)/lienthong drill --seed $(SEED) --faults $(FAULTS) --minutes $(MINUTES) $(if $(CLUSTER),--cluster)

.PHONY: demo
demo: install ## replay the supervision of January 2019 with 95 units, then stop everything
	@$(BIN)/lienthong demo run

.PHONY: up
up: install ## start the same exchange and keep it running
	@$(BIN)/lienthong demo up

.PHONY: down
down: install ## end what `make up` started
	@$(BIN)/lienthong demo down
