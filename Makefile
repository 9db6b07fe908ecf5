# One command for each thing that people do. CI calls the same ones.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help install up test check lock contract format clean node bench bench-quick bench-peers bench-tick bench-accuracy bench-deliveries bench-growth

# python3.11 where there is one, else any python3 that is new enough.
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo "$$name" && break; done)
BIN := .venv/bin
STAMP := .venv/.installed
NODE_STAMP := node_modules/.installed
DATA ?= .fleetbeat
PORT ?= 8080
DEMO ?= 1

help: ## What there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

install: $(STAMP) ## Make .venv with everything that is locked

$(STAMP): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Fleetbeat needs Python 3.11 or later; name one with: make PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || { echo "making .venv with $(PYTHON)"; "$(PYTHON)" -m venv .venv; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# Only tests use Node; without it they say what they left out.
node:
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory $(NODE_STAMP); \
	else echo "There is no Node on this machine: tests with Node clients will be left out."; fi

$(NODE_STAMP): package.json package-lock.json
	npm ci --no-fund --no-audit
	@touch $@

up: install ## Start everything on this machine (DEMO=0, PORT=8080, DATA=.fleetbeat)
	@exec $(BIN)/fleetbeat up --port $(PORT) --data $(DATA) $(if $(filter 0 no false off,$(DEMO)),--no-demo)

test: install node ## Run every test, with a mongod and a redis-server of their own (TESTS=path, ARGS=...)
	$(BIN)/python -m pytest -n 2 --dist worksteal $(TESTS) $(ARGS)

check: install ## Lint, format, types, imports, contract drift
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/fleetbeat contract --check frontend-contract/schema.graphql

bench: install bench-peers ## Measure everything beside peers, for bench/results.json and the README (ARGS="--only fanout")
	$(BIN)/python -m bench $(ARGS)
	$(if $(ARGS),,$(BIN)/python -m bench.deliveries)

bench-quick: install bench-peers ## Nearly the same, short and small, in two minutes or three; writes bench/results.local.json alone
	$(BIN)/python -m bench --quick $(ARGS)

# What cannot be installed is left out, and results.json says so.
bench-peers:
	@if [ bench/peers/package-lock.json -nt bench/peers/node_modules/.installed ]; then \
		(cd bench/peers && npm ci --no-fund --no-audit && touch node_modules/.installed) || echo "Peers in Node will be left out."; fi
	@if [ bench/peers/alerta/requirements.txt -nt .bench/alerta/.installed ]; then \
		($(BIN)/python -m venv .bench/alerta && .bench/alerta/bin/python -m pip install --quiet --disable-pip-version-check \
		--requirement bench/peers/alerta/requirements.txt && touch .bench/alerta/.installed) || echo "Alerta will be left out."; fi

bench-tick: install ## Measure the rule tick alone (ARGS="--devices 1000000")
	$(BIN)/python -m bench.tick $(ARGS)

bench-accuracy: install ## How right the rules are, over a labelled month (a few minutes)
	$(BIN)/python -m bench.accuracy

bench-deliveries: install ## How fast and how surely alerts are told (ARGS="--chaos --kill 5": with receivers that fail)
	$(BIN)/python -m bench.deliveries $(ARGS)

bench-growth: install ## What grows with what, for docs/scaling.md (ARGS="--quick", "--only workers", "--failover")
	$(BIN)/python -m bench.growth $(ARGS)

format: install ## Put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

contract: install ## Write the schema that clients build on
	$(BIN)/fleetbeat contract --out frontend-contract/schema.graphql

lock: install ## Pin and hash what pyproject.toml asks for
	$(BIN)/uv pip compile pyproject.toml --extra dev --extra embedded --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-header --no-annotate --quiet --output-file requirements.lock
	$(BIN)/uv pip compile pyproject.toml --constraint requirements.lock --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-header --no-annotate --quiet --output-file requirements-run.lock

clean: ## Remove what was built; data under .fleetbeat stays
	rm -rf .venv node_modules bench/peers/node_modules .bench .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build dist
