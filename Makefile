# `make demo` and `make test` each set up what they need: nothing else has to be run first.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
PYTEST := TF_NUM_INTRAOP_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal
# The peers of the benchmark stay out of the environment of the tests.
BENCH := .venv-bench

.PHONY: demo test proofs lint docs format bench clean

demo: $(INSTALLED)
	$(BIN)/tfinv reproduce demo --workdir=runs/demo

test:
	$(MAKE) -j2 lint docs
	$(PYTEST) -m "not proof"

# Tests that take long, such as whole commands killed in the middle, and processes that train together.
proofs: $(INSTALLED)
	$(PYTEST) -m proof

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(INSTALLED)
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Times; needs an idle machine, and TFINV_DATA_DIR for all of MNIST and CIFAR-10.
bench: $(BENCH)/.installed
	$(BENCH)/bin/python -m benchmarks.attacks --workdir=runs/bench --output=docs/results/attacks.md

$(BENCH)/.installed: setup.cfg setup.py pyproject.toml constraints.txt benchmarks/requirements.txt
	test -x $(BENCH)/bin/python || $(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -r benchmarks/requirements.txt -e .
	touch $@

$(INSTALLED): setup.cfg setup.py pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

clean:
	rm -rf .venv $(BENCH) build dist docs/_build runs *.egg-info
