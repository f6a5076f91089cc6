# Every target makes the environment it needs: only Python 3.11 to 3.13, make and pip are taken for granted.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := $(BIN)/kilnworks
PYTEST := $(BIN)/python -m pytest -p no:cacheprovider
WORKERS ?= 3
export UV_LINK_MODE ?= copy
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo programs test test-fast nightly lint format lock bench airflow clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

$(VENV)/.installed: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v < (3, 14) else "got Python %d.%d; wanted 3.11, 3.12 or 3.13; run: make PYTHON=python3.11 ..." % v)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python requirements.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@rm -rf kilnworks.egg-info  # found beside the installed one where the repository is on PYTHONPATH
	@touch $@

setup: $(VENV)/.installed ## make .venv with the locked packages

demo: setup ## raw data to a served prediction: churn, end to end
	@$(BIN)/python scripts/demo.py

programs: setup ## find a browser, Java, PostgreSQL, Prometheus ... for the tests, or install them
	@$(BIN)/python -m scripts.programs

test: programs ## the whole suite
	$(PYTEST) -m "not nightly" -n $(WORKERS) $(PYTEST_ARGS)

test-fast: WORKERS = 2
test-fast: setup ## the quick tests
	$(PYTEST) -m "not slow and not e2e and not nightly" --ignore tests/e2e -n $(WORKERS) $(PYTEST_ARGS)

nightly: programs ## the whole suite, with whole catalogues and full results
	KILNWORKS_NIGHTLY=1 $(PYTEST) -n $(WORKERS) --timeout 3600 $(PYTEST_ARGS)

lint: setup ## ruff and strict mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup ## let ruff rewrite what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: setup ## recompile requirements.txt from pyproject.toml
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --no-header --quiet -o requirements.txt

bench: setup ## measure against the bare script, print ratios
	@$(BIN)/python -m bench.pipeline
	@$(BIN)/python -m bench.serving
	@$(BIN)/python -m bench.streaming
	@$(BIN)/python -m bench.replicas
	@$(BIN)/python -m bench.loop
	@$(BIN)/python -m bench.families
	@$(BIN)/python -m bench.health
	@$(BIN)/python -m bench.craft
	@$(BIN)/python -m bench.q_learning

airflow: setup ## Airflow standalone with our DAGs; PORT=8080 chooses its port
	@$(BIN)/python -m scripts.airflow.standalone $(if $(PORT),--port $(PORT))

clean: ## remove what these targets made, the store apart
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache bench/out
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
