# Two commands are enough: `make run` and `make test`. Each sets itself up from a bare clone.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python

.PHONY: setup setup-dev run test bench burst chaos check audit mutants clean

setup: $(VENV)/.installed

setup-dev: $(VENV)/.installed-dev

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "alliance-relay needs Python 3.11 or newer; name one with: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.lock | $(PY)
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements.lock
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock | $(PY)
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements-dev.lock
	@touch $@ $(VENV)/.installed

run: setup
	@$(PY) -m bot run

test: setup-dev
	@$(PY) -m pytest -n 2

# Against a bare aiogram bot without a database, in turn: PAIRS=5.
bench: setup-dev
	@$(PY) -m tests.bench $(or $(PAIRS),5)

# A thousand photos a minute, from one person and from twenty, in every shape: about fifteen minutes.
burst: setup-dev
	@BURST=1 $(PY) -m pytest tests/test_bursts.py -s

# The relay killed 500 times under load on each database: KILLS=60 DATABASE=sqlite|postgres|both SEED=7.
chaos: setup-dev
	@$(PY) -m tests.chaos --kills $(or $(KILLS),500) --database $(or $(DATABASE),both) $(if $(SEED),--seed $(SEED))

check: setup-dev
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports

audit: setup-dev
	@$(PY) .ci/audit.py

# Changes the rules in every small way and counts what the tests notice; what they do not is in tests/mutants.md.
mutants: setup-dev
	@rm -rf mutants && mkdir mutants
	@nice -n 19 $(VENV)/bin/mutmut run --max-children 2 > mutants/run.log 2>&1 || { tail -n 40 mutants/run.log; exit 1; }
	@$(PY) -m tests.mutants

clean:
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache mutants
