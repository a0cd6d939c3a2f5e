# Talentseal: every task a person needs, one word each. `make help` lists them.
#
# A fresh machine needs Python 3.11, make, git and a package registry; nothing here asks for root.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

# Some machines forbid Python to keep what it has compiled. Hundreds of short processes would compile
# every module anew, which nobody meets who has installed the programs.
unexport PYTHONDONTWRITEBYTECODE

BIN := .venv/bin
CODE := schemas talentseal issuer registry verifier wallet_cli tests benchmarks examples
# What `make bench` may take: BENCH=full (<= 10 minutes) or quick (<= 90 seconds); PEERS=0 leaves
# the foreign verifiers out.
BENCH ?= full
PEERS ?= 1
LOCK_FLAGS := --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-header

.PHONY: help demo up down test check fix bench environment demo-environment peers strangers \
	lock clean

help: ## list the tasks
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-12s %s\n", $$1, $$2}' Makefile

demo: demo-environment ## from nothing to a sealed, checked, revoked and refused certificate
	@echo "demo: three services, two jurisdictions, officers, wallets, revocation; with and without network"
	@$(BIN)/python examples/demo.py

up: demo-environment ## start registry, issuer and verifier of the demo and keep them running
	@echo "up: registry, issuer and verifier of the demo, on this machine alone"
	@$(BIN)/python examples/network.py up

down: ## stop them
	@echo "down: the three services of the demo"
	@$(BIN)/python examples/network.py down

test: environment ## the whole test suite
	@echo "test: unit tests, vectors, attack stories and journeys on all cores"
	@$(BIN)/pytest -n auto

check: environment ## format, lint, types, import contracts, dependencies, documents
	@echo "check: format"
	@$(BIN)/ruff format --check --quiet .
	@echo "check: lint"
	@$(BIN)/ruff check --quiet .
	@echo "check: types, strict, tests included"
	@$(BIN)/mypy $(wildcard $(CODE))
	@echo "check: import contracts"
	@$(BIN)/lint-imports
	@echo "check: unused and undeclared dependencies"
	@$(BIN)/deptry .
	@echo "check: documents and the project's own promises"
	@$(BIN)/pytest -q -p no:randomly -m "not slow" tests/project

fix: environment ## format, and mend what the linter can mend safely
	@echo "fix: format and safe lint fixes"
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .

bench: environment ## measure every goal, against raw signatures and foreign verifiers
	@echo "bench: BENCH=$(BENCH) PEERS=$(PEERS); writes docs/performance.md and benchmarks/results.json"
	@if [ "$(PEERS)" != 0 ]; then $(MAKE) peers; fi
	@BENCH=$(BENCH) PEERS=$(PEERS) $(BIN)/python -m benchmarks.report

environment: ## install everything for tests, checks and benchmarks into .venv
	@scripts/environment.sh .venv requirements/lock.txt project

# An environment once made for tests stays one: the demo never takes anything away from it.
demo-environment:
	@if grep -qs 'requirements/lock.txt' .venv/.made-from; then $(MAKE) environment; \
	else scripts/environment.sh .venv requirements/demo.txt project; fi

peers: ## install the foreign verifiers into an environment of their own
	@scripts/environment.sh benchmarks/peers/.venv benchmarks/peers/lock.txt

strangers: ## install foreign wallets and verifiers for the tests (needs Node 20)
	@scripts/strangers.sh

lock: ## resolve all dependencies anew (needs uv)
	@echo "lock: requirements/{lock,demo,node}.txt, benchmarks/peers/lock.txt"
	@uv pip compile $(LOCK_FLAGS) --all-extras pyproject.toml -o requirements/lock.txt
	@uv pip compile $(LOCK_FLAGS) --extra service -c requirements/lock.txt \
		pyproject.toml requirements/build.in -o requirements/demo.txt
	@uv pip compile $(LOCK_FLAGS) benchmarks/peers/peers.in -o benchmarks/peers/lock.txt
	@uv pip compile $(LOCK_FLAGS) requirements/node.in -o requirements/node.txt

clean: ## remove environments, caches and the demo's world
	@echo "clean: .venv, benchmarks/peers/.venv, .node, node_modules, .demo, caches"
	@rm -rf .venv benchmarks/peers/.venv .node tests/conformance/node/node_modules .demo dist \
		.mypy_cache .ruff_cache .import_linter_cache .hypothesis
