# `make` prints the targets. Every target sets up what it needs: python3.11 with pip, git and make are enough.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

PYTHON ?= python3.11
UV_VERSION := 0.13.8
TORCH_VERSION := 2.13.0
TORCH_BACKEND ?= cpu
WORKERS ?= $(shell env -u OMP_NUM_THREADS nproc | awk '{print ($$1 < 4 ? $$1 : 4)}')
PYTEST_ARGS ?=

# One thread a process: these networks and matrices are too small to gain from more, and spinning threads starve
# the neighbours. Nothing calls home.
export OMP_NUM_THREADS ?= 1
export OMP_WAIT_POLICY ?= PASSIVE
export MLFLOW_DISABLE_TELEMETRY ?= true
export AIRFLOW__USAGE_DATA_COLLECTION__ENABLED ?= False
export DVC_NO_ANALYTICS ?= 1
export GX_ANALYTICS_ENABLED ?= False
# Every stage is a process of its own: without bytecode kept, each would compile its libraries again.
unexport PYTHONDONTWRITEBYTECODE
export PATH := $(CURDIR)/.venv/bin:$(PATH)

ifneq ($(shell command -v npm),)
PRETTIER := node_modules/.bin/prettier --log-level warn
PRETTIER_READY := node_modules/.stamp
else
PRETTIER := echo "npm is not installed, so this is left out: prettier"
endif
FORMATTED := "**/*.{yaml,yml,json,md}"

UV := .uv/bin/uv
# --no-config: the project's exclude-dependencies would block even an explicit torch.
# uv does not read pip's settings; a mirror that is configured there is passed on.
FROM_PIPS_INDEX = index="$${PIP_INDEX_URL:-$$(.uv/bin/pip config get global.index-url 2>/dev/null || true)}"; \
	[[ -z "$$index" ]] || export UV_DEFAULT_INDEX="$${UV_DEFAULT_INDEX:-$$index}";
INSTALL := $(UV) pip install --python .venv/bin/python --no-config --no-deps

##@ Use

.PHONY: demo
demo: setup ## run the daily strategy through Airflow on real data; prints the verdict and where the report lies
	python -m deployment.local_services.run_demo

.PHONY: up
up: setup ## start Airflow and the MLflow server on 127.0.0.1; prints where to look and how to log in
	python -m deployment.local_services.start_services

.PHONY: down
down: ## end every process that `make up` started
	@[[ ! -x .venv/bin/python ]] || python -m deployment.local_services.stop_services

.PHONY: services-up
services-up: setup ## start Prometheus, Pushgateway, Alertmanager and an alert page on 127.0.0.1; fetches them if need be
	python -m deployment.local_services.start_monitoring

.PHONY: services-down
services-down: ## end every process that `make services-up` started
	@[[ ! -x .venv/bin/python ]] || python -m deployment.local_services.stop_monitoring

.PHONY: dashboard
dashboard: setup ## show runs, champions, backtests, drift and alerts in the browser, on 127.0.0.1; needs no service
	python -m monitoring.dashboards.web.show_dashboard

.PHONY: clean-runs
clean-runs: setup ## trim old runs and reports by age and count; never touches a champion
	python -m deployment.clean_runs

.PHONY: sample-data
sample-data: setup ## write 10,000 hours of Bitcoin and a config.yaml for the signal-rate job into data/sample/
	python pipelines/data_ingestion/write_sample_data.py

##@ Work on it

.PHONY: setup
setup: .venv/.stamp-project ## make .venv from requirements.lock; at once if nothing changed

.PHONY: test
test: setup ## run the fast tests (one test: make test PYTEST_ARGS="tests/market/test_splits.py -k overlap")
	pytest -n $(WORKERS) --dist loadfile $(PYTEST_ARGS)

.PHONY: test-slow
test-slow: setup ## run the slow tests too: 100 random kills, the real scheduler
	pytest -m "not gpu and not services" $(PYTEST_ARGS)

.PHONY: test-services
test-services: setup ## run the tests that need programs beside Python; fetches those of monitoring
	python -m deployment.local_services.debian_programs
	pytest -m services $(PYTEST_ARGS)

.PHONY: bench
bench: setup ## compare with peers; figures and chart go to reports/ (one row: make bench ROW=name)
	python tests/benchmarks/run_rows.py $(ROW)

.PHONY: bench-long
bench-long: setup ## soak the environment and grow it: memory, conservation of wealth (one: make bench-long PART=name)
	python tests/benchmarks/run_long.py $(PART)

.PHONY: check
check: setup ## lint, format, types, floors of the house, YAML/JSON/Markdown format, lock against pyproject
	ruff check .
	ruff format --check .
	mypy
	lint-imports
	@$(MAKE) prettier
	pytest -q -p no:cacheprovider tests/test_lock.py

.PHONY: prettier
prettier: $(PRETTIER_READY)
	$(PRETTIER) --check $(FORMATTED)

.PHONY: format
format: setup $(PRETTIER_READY) ## put code, YAML, JSON and Markdown into their format
	ruff check --fix-only --quiet .
	ruff format .
	$(PRETTIER) --write $(FORMATTED)

.PHONY: lock
lock: $(UV) ## write requirements.lock anew from pyproject.toml: names, versions, hashes, no address
	@$(FROM_PIPS_INDEX) set -x; \
	$(UV) pip compile pyproject.toml --extra dev --generate-hashes --no-annotate --no-header -o requirements.lock

.PHONY: help
help:
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

# The environment, in four steps. A stamp is written last, so an interrupted step is done again.

$(UV): .uv/.stamp-$(UV_VERSION) ;

.uv/.stamp-$(UV_VERSION):
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not installed: apt-get install python3.11 (or make PYTHON=...)" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "$(PYTHON) is not Python 3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "$(PYTHON) has no venv module: apt-get install python3.11-venv" >&2; exit 1; }
	$(PYTHON) -m venv --clear .uv
	.uv/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@touch $@

.venv/.stamp-packages: requirements.lock | $(UV)
	$(UV) venv --quiet --no-config --clear --python .uv/bin/python .venv
	@$(FROM_PIPS_INDEX) set -x; $(INSTALL) --require-hashes -r requirements.lock
	@touch $@

# PIP_FIND_LINKS (or pip's own find-links setting) may name a folder that holds the wheel; else uv fetches the build
# for TORCH_BACKEND. No CUDA package comes along with `cpu`.
.venv/.stamp-torch: .venv/.stamp-packages
	@$(FROM_PIPS_INDEX) \
	folders="$${PIP_FIND_LINKS:-$$(.uv/bin/pip config get global.find-links 2>/dev/null || true)}"; \
	from=(--torch-backend=$(TORCH_BACKEND)); \
	for folder in $$folders; do \
		if compgen -G "$$folder/torch-$(TORCH_VERSION)*.whl" >/dev/null; then from=(--no-index --find-links "$$folder"); fi; \
	done; \
	TORCH_ARGS="$${TORCH_ARGS:-$${from[*]}}"; \
	set -x; $(INSTALL) $$TORCH_ARGS torch==$(TORCH_VERSION)
	@touch $@

.venv/.stamp-project: pyproject.toml .venv/.stamp-torch
	$(INSTALL) --quiet --no-build-isolation -e .
	@touch $@

# Peers whose pins conflict with ours, each in an environment of its own.
.bench/%/.stamp: tests/benchmarks/%_requirements.txt | $(UV)
	$(UV) venv --quiet --no-config --clear --python .uv/bin/python $(@D)
	@$(FROM_PIPS_INDEX) set -x; $(UV) pip install --quiet --python $(@D)/bin/python --no-config --no-deps -r $<
	@touch $@

# Nothing of the platform runs on Node; only the formatter of YAML, JSON and Markdown does.
node_modules/.stamp: package-lock.json
	npm ci --silent --no-audit --no-fund --ignore-scripts
	@touch $@
