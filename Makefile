# Each target works from a fresh clone; what it needs it installs into .venv, what is costly it keeps in ~/.cache/irsa.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
UV := $(BIN)/uv

.PHONY: help demo test check nightly bench cluster-up cluster-down image lock clean
help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/ready: requirements/bootstrap.txt requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed, $(PYTHON) is older; name another with PYTHON=" >&2; exit 2; }
	@echo "== setting up .venv"
	@$(PYTHON) -m venv .venv || { echo "python3-venv is missing: apt-get install python3-venv" >&2; exit 2; }
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements/bootstrap.txt
	@$(UV) pip sync --quiet --require-hashes --python $(BIN)/python requirements/dev.txt requirements/bootstrap.txt
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

check: .venv/ready ## format, lint, types, borders and the fast tests: two minutes on 2 cores
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q -n 2 -m "not apiserver and not kind and not programs and not nightly"

test: check ## check, then everything that needs an API server or a cluster: minutes, the first time up to an hour
	$(BIN)/pytest -m "(apiserver or kind or programs) and not nightly"

nightly: check ## the same, and soaks and version matrices beyond what a commit waits for
	$(BIN)/pytest -m "apiserver or kind or programs or nightly"

demo: .venv/ready ## a kind cluster, irsa in it, a pod that lists S3 buckets by its role, three that are refused
	@$(BIN)/python -m examples.quickstart.demo

bench: .venv/ready ## figures, each part's table; PEER=/path adds another webhook (the Go webhook's flags)
	$(BIN)/python -m tests.bench

cluster-up: .venv/ready ## a real kind cluster with our images in it (tests/cluster/README.md); safe to repeat
	@$(BIN)/python -m tests.cluster up

cluster-down: .venv/ready ## delete what cluster-up made; what was built stays in the cache
	@$(BIN)/python -m tests.cluster down

image: .venv/ready ## build the container images and print their names
	@$(BIN)/python -m tests.cluster image

lock: .venv/ready ## write requirements/*.txt anew from pyproject.toml
	tools/lock
