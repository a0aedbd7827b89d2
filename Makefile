# make demo | test | check | notebooks | bench | clean
# On a fresh machine each of them first makes .venv and installs kgfm into it.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: help install demo test check format notebooks bench clean

help:
	@echo "make demo       train on the world graph and ask it questions (minutes, no network)"
	@echo "make test       the tests that need no server, no data and no GPU"
	@echo "make check      format, lint, types and tests: all that a change must pass"
	@echo "make format     let ruff lay out the code"
	@echo "make notebooks  run the notebooks from top to bottom"
	@echo "make bench      the measurements behind the README's figures"
	@echo "make clean      remove what was built; .venv and runs stay"

install: $(READY)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "kgfm needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1)." \
	    "Name another one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || { echo "Making .venv"; $(PYTHON) -m venv .venv; }
	@echo "Installing kgfm and what it needs into .venv (some 2 GB, a few minutes)"
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	@touch $@

demo: $(READY)
	@$(BIN)/kgfm demo --out runs/demo

# A process for each core, four at most: each may take some 2.2 GB of memory.
test: $(READY)
	$(BIN)/pytest -q -n auto --maxprocesses 4 --dist worksteal \
	  -m "not slow and not data and not neo4j"

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy --strict kgfm
	@$(MAKE) --no-print-directory test

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The notebooks are kept as Python files (jupytext's percent format); -c /dev/null leaves out the
# tests' own settings.
notebooks: $(READY)
	@rm -rf build/notebooks && mkdir -p build/notebooks
	@for source in notebooks/*.py; do \
	  $(BIN)/jupytext --quiet --to ipynb --set-kernel python3 \
	    --output build/notebooks/$$(basename $$source .py).ipynb $$source || exit 1; done
	$(BIN)/pytest -q -c /dev/null --rootdir . -p no:cacheprovider --nbmake --nbmake-timeout=900 \
	  --overwrite build/notebooks

bench: $(READY)
	@for source in benchmarks/bench_*.py; do \
	  echo "== $$source"; $(BIN)/python $$source || exit 1; done

clean:
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	find kgfm tests -name __pycache__ -prune -exec rm -rf {} +
