# make run    set up and serve            make test   set up and run every test
# make lock   resolve the locks again     make lint   ruff, formatting, mypy strict
# make test-spark   install pyspark (456 MB; Java 17 is the machine's) and hold both engines against each other
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALL := $(PIP) install --quiet --require-hashes -r
# The build backend comes from the hashed lock, so the project itself is built without isolation: an isolated build
# would fetch an unpinned one.
INSTALL_PROJECT := $(PIP) install --quiet --no-deps --no-build-isolation --editable .
WORKERS ?= auto
PYTEST := $(BIN)/python -m pytest
SELECTED := not campaign and not bench

.PHONY: run test test-spark fast lint format bench campaign lock audit clean
.DEFAULT_GOAL := test

run: $(VENV)/.run
	@$(BIN)/ledger serve

# In parallel what can be, then what needs the machine for itself. Exit status 5 means that nothing was selected.
test: $(VENV)/.dev
	$(PYTEST) -n $(WORKERS) --dist worksteal -m "$(SELECTED) and not alone" $(ARGS)
	$(PYTEST) -m "$(SELECTED) and alone" $(ARGS) || [ $$? -eq 5 ]

fast: $(VENV)/.dev
	$(PYTEST) -n $(WORKERS) --dist worksteal -m "$(SELECTED) and not alone and not slow" $(ARGS)

test-spark: $(VENV)/.spark
	$(PYTEST) tests/twin/test_engines.py $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks $(ARGS)

campaign: $(VENV)/.dev
	$(PYTEST) -m campaign $(ARGS)

audit: $(VENV)/.dev
	$(BIN)/pip-audit --require-hashes --disable-pip -r requirements/run.lock

# Universal: one lock for every platform and Python from 3.11 on; no registry is named in it.
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-config --custom-compile-command "make lock"
lock: $(VENV)/.dev
	$(COMPILE) --group build -o requirements/build.lock
	$(COMPILE) pyproject.toml -c requirements/build.lock -o requirements/run.lock
	$(COMPILE) pyproject.toml --group dev --group build -c requirements/run.lock -c requirements/build.lock \
		-o requirements/dev.lock
	$(COMPILE) --group spark-build -c requirements/dev.lock -o requirements/spark-build.lock
	$(COMPILE) pyproject.toml --extra spark -c requirements/dev.lock -c requirements/spark-build.lock \
		-o requirements/spark.lock

# Debian splits ensurepip off into python3-venv; without it the machine's own pip fills the environment.
$(VENV)/.build: requirements/build.lock
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or later is needed: make PYTHON=...")'
	@echo "setting up $(VENV), once"
	@[ -x $(BIN)/pip ] || $(PYTHON) -m venv $(VENV) 2>/dev/null || $(PYTHON) -m venv --without-pip --clear $(VENV)
	@if [ -x $(BIN)/pip ]; then $(INSTALL) $<; \
		else $(PYTHON) -m pip --python $(BIN)/python install --quiet --require-hashes -r $<; fi
	@touch $@

$(VENV)/.run: $(VENV)/.build requirements/run.lock pyproject.toml
	@$(INSTALL) requirements/run.lock
	@$(INSTALL_PROJECT)
	@touch $@

$(VENV)/.dev: $(VENV)/.build requirements/dev.lock pyproject.toml
	@$(INSTALL) requirements/dev.lock
	@$(INSTALL_PROJECT)
	@touch $@ $(VENV)/.run

# pyspark is published as source only: what builds it comes first, from a lock of its own.
$(VENV)/.spark: $(VENV)/.dev requirements/spark-build.lock requirements/spark.lock
	@$(INSTALL) requirements/spark-build.lock
	@$(INSTALL) requirements/spark.lock --no-build-isolation
	@touch $@

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
