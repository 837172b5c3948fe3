# `make demo` and `make test` make their own environment; nothing else has to be installed but Python 3.11 or later.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# One answer for all: OpenMP threads that wait must sleep, or two busy processes slow each other down many times.
export OMP_WAIT_POLICY := passive

.PHONY: demo test lint format clean

$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "gliobench needs Python 3.11 or later; found $$($(PYTHON) --version). Try: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "Python's venv is missing. On Debian or Ubuntu: sudo apt-get install python3-venv"; exit 1; }
	@echo "Installing the packages of constraints.txt into $(VENV) (a few minutes, once)"
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(VENV)/installed
	@$(BIN)/gliobench phantom --subjects 24 --seed 0 runs/phantom
	@$(BIN)/gliobench run studies/quick.yaml --cohort runs/phantom --out runs/demo

# A worker has one thread: its OpenMP threads and the other workers would only wait for one another.
test: export OMP_NUM_THREADS := 1
test: $(VENV)/installed
	@$(BIN)/pytest -n auto --dist loadfile --no-loadscope-reorder

lint: $(VENV)/installed
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(VENV)/installed
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean:
	rm -rf $(VENV) runs build dist src/*.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
