# make run   set up and run the verification sweep `quick`, which ends in a report
# make test  set up and run the tests
PYTHON ?= python3
# Each interpreter has an environment of its own: `make test PYTHON=python3.13` makes .venv-python3.13.
VENV ?= .venv$(if $(filter-out python3,$(PYTHON)),-$(notdir $(PYTHON)))
CONSTRAINTS ?= constraints.txt
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.installed
DEV := $(VENV)/.installed-dev
# With more than one BLAS thread a worker, small eigenproblems get ten times slower.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1

.PHONY: venv run test coverage test-lowest test-slow test-gpu lint bench docs gallery wheel clean

venv: $(DEV)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# The main job needs the library alone; torch and the other tools of development come with `make test`.
$(RUNTIME): pyproject.toml $(CONSTRAINTS) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) -e .
	touch $@

$(DEV): $(RUNTIME)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) -e ".[dev,cluster,data,datasets]"
	touch $@

run: $(RUNTIME)
	$(BIN)/python -m verify run quick

test: $(DEV)
	$(BIN)/python -m pytest

# The tests, counting which lines and branches they run; fails below the floor in pyproject.toml.
coverage: $(DEV)
	$(BIN)/python -m pytest --cov --cov-report=term:skip-covered

# The tests with the oldest libraries that pyproject.toml allows, in .venv-lowest.
test-lowest:
	$(PYTHON) tests/generators/lowest_versions.py > .lowest.txt
	$(MAKE) test VENV=.venv-lowest CONSTRAINTS=.lowest.txt

test-slow: $(DEV)
	$(BIN)/python -m pytest -m slow

test-gpu: $(DEV)
	$(BIN)/python -m pytest -m gpu

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(DEV)
	for script in benchmarks/bench_*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

docs: $(RUNTIME)
	$(BIN)/python -m meanfield phase --activation tanh --weight-variance 0.5:4:80 --bias-variance 0:1:80 --plot docs/figures/phase_tanh.svg
	$(BIN)/python -m meanfield phase --activation tanh --weight-variance 0.5:4:80 --bias-variance 0:1:80 --depth 5 --width 1000 --samples 100 --show learning_rate --plot docs/figures/plane_tanh.svg
	$(BIN)/python docs/figures/bulk_spectrum.py docs/figures/bulk_spectrum.svg

# The figures of docs/gallery.md; about 21 minutes of one processor. What is stored in runs/gallery isn't run again.
gallery: $(RUNTIME)
	$(BIN)/python docs/gallery.py

wheel: $(DEV)
	$(BIN)/python -m build --wheel

clean:
	rm -rf .venv .venv-* .lowest.txt build dist runs .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
