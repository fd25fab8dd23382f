# The commands of the project. `make` alone lists them.

VENV ?= .venv
PY := $(VENV)/bin/python
# The newest of these that is at least 3.11 makes the virtual environment.
PYTHON ?= $(firstword $(foreach name,python3 python3.15 python3.14 python3.13 python3.12 python3.11,\
	$(shell $(name) -c $(NEW_ENOUGH) 2>/dev/null && echo $(name))))
NEW_ENOUGH := 'import sys; sys.exit(sys.version_info < (3, 11))'
PIP_INSTALL ?= $(PY) -m pip install --quiet --disable-pip-version-check
PYTEST_ARGS ?= -n auto --dist loadgroup
# What limits the time of all tests, such as `timeout 60m`.
LIMIT :=

# Containers often set it. Without bytecode on the disk, each process that a test starts compiles
# the package again: a second of CPU time instead of a quarter.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test quick soak mutants oldest servers check format lint types docs package bench clean

help:  ## list the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-9s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/ready-catch  ## send mail to a catcher here and look at it in the mailbox (ONCE=1: and exit)
	@$(PY) examples/demo/app.py

test: $(VENV)/ready-dev  ## run all tests, with branch coverage
	@$(PY) -m coverage erase
	$(LIMIT) $(PY) -m coverage run -m pytest $(PYTEST_ARGS)
	@$(PY) -m coverage combine --quiet
	$(PY) -m coverage report

quick: $(VENV)/ready-dev  ## run the tests that need no other program
	$(PY) -m pytest -m "not services" $(PYTEST_ARGS)

soak: $(VENV)/ready-dev  ## send while servers fail and workers are killed at random (SEED=, MESSAGES=)
	@$(PY) tests/tools/soak.py $(if $(SEED),--seed $(SEED)) $(if $(MESSAGES),--messages $(MESSAGES))
	MAILHANDLER_REQUIRE_SERVICES=1 $(PY) -m pytest tests/queue/soak_*.py --timeout=3600 $(PYTEST_ARGS)

mutants: $(VENV)/ready-dev  ## change the code at random and see whether a test notices (SEED=, NUMBER=, ONLY=)
	@$(PY) tests/tools/mutants.py $(if $(SEED),--seed $(SEED)) $(if $(NUMBER),--number $(NUMBER)) $(if $(ONLY),--only $(ONLY))

oldest:  ## run the quick tests with the oldest versions that pyproject.toml allows
	@$(MAKE) --no-print-directory VENV=.venv-oldest .venv-oldest/ready-oldest
	.venv-oldest/bin/python -m pytest -m "not services and not slow" $(PYTEST_ARGS)

servers: $(VENV)/ready-dev $(VENV)/ready-servers  ## stop each web server while it works (ONLY=the beginning of a name)
	$(PY) tests/tools/web_servers_tried.py $(if $(ONLY),--only "$(ONLY)")

check: lint types docs package  ## everything a machine can judge, except the tests

format: $(VENV)/ready-dev  ## rewrite the code in the project's form
	$(PY) -m ruff format
	$(PY) -m ruff check --fix

lint: $(VENV)/ready-dev  ## form and common mistakes
	$(PY) -m ruff format --check
	$(PY) -m ruff check

# --verifytypes takes the `python` it finds first, whatever --pythonpath says.
types: $(VENV)/ready-dev  ## mypy and pyright, and whether every public name is typed
	$(PY) -m mypy
	PATH="$(abspath $(VENV)/bin):$$PATH" pyright
	PATH="$(abspath $(VENV)/bin):$$PATH" pyright --verifytypes flask_mailhandler --ignoreexternal

docs: $(VENV)/ready-dev  ## build the documentation; a warning is an error
	$(PY) -m sphinx -q -E -W --keep-going -b html docs docs/_build/html
	@echo "Open docs/_build/html/index.html"

package: $(VENV)/ready-dev  ## build sdist and wheel, and install the wheel where nothing else is
	@rm -rf dist
	$(PY) -m build --no-isolation --outdir dist
	$(PY) -m pytest -q tests/test_packaging.py

# Of other people's libraries there are those versions that pyproject.toml and package.json name.
bench:  ## measure (ONLY=rendering, memory, imports, sending, queue ...; CHECK=1; ROUNDS=; AGAINST=a commit)
	@$(MAKE) --no-print-directory VENV=.venv-bench .venv-bench/ready-bench
	@! command -v npm >/dev/null || npm --prefix benchmarks ci --silent --no-audit --no-fund
	@.venv-bench/bin/python -m benchmarks $(ONLY) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(CHECK),--check) $(if $(AGAINST),--against $(AGAINST))

clean:  ## remove what the commands made
	rm -rf $(VENV) .venv-bench .venv-oldest benchmarks/node_modules tests/node/node_modules build dist docs/_build htmlcov .coverage .coverage.*
	rm -rf .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find src tests examples docs benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

.venv-oldest/ready-oldest: pyproject.toml
	@"$(PYTHON)" -m venv --clear .venv-oldest
	"$(PYTHON)" tests/tools/oldest.py > .venv-oldest/oldest.txt
	$(PIP_INSTALL) --constraint .venv-oldest/oldest.txt --editable '.[dev]'
	@touch $@

# Made again only when pyproject.toml changes; an environment cut short is made anew.
$(VENV)/ready-%: pyproject.toml
	@test -n "$(PYTHON)" && "$(PYTHON)" -c $(NEW_ENOUGH) || { \
		echo "Python 3.11 or newer is needed$(if $(PYTHON),; $(PYTHON) is older or does not run)." \
		"Name one: make PYTHON=/path/to/python3.13" >&2; exit 1; }
	@$(PY) -m pip --version >/dev/null 2>&1 || "$(PYTHON)" -m venv --clear $(VENV)
	$(PIP_INSTALL) --editable '.[$*]'
	@touch $@
