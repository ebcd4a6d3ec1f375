# Everything a person or a CI needs, each target documented by the text after ##. `make` alone prints them.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh

# The first interpreter that is new enough; give another with `make demo PYTHON=/path/to/python3.12`.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' >/dev/null 2>&1 && echo $$p && exit; done)
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --no-input
RUNTIME := $(VENV)/.runtime
DEVELOPMENT := $(VENV)/.development
UV ?= uv
KILLS ?= 30
# Half of what the tests do is to wait for processes that they started: one worker more than there are cores.
WORKERS ?= $(shell echo $$((1 + $$(getconf _NPROCESSORS_ONLN))))

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*?## ' $(MAKEFILE_LIST) | awk -F ':.*?## ' '{ printf "  \033[1m%-14s\033[0m %s\n", $$1, $$2 }'
	@echo
	@echo "  make demo ROWS=1000000      ten times the rows"
	@echo "  make demo ARGS=--no-crash   without killing the worker"
	@echo "  make demo ARGS=--faults     with everything going wrong at once"

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Orgbridge needs Python 3.11, 3.12 or 3.13 and found none." \
		"Install one, or name it: make PYTHON=/path/to/python3.12 ..." >&2; exit 2; }
	@echo "making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV) || { echo "$(PYTHON) cannot make a virtual environment;" \
		"on Debian and Ubuntu install python3-venv." >&2; exit 2; }

# A stamp per set of pins, so that a warm run installs nothing.
$(RUNTIME): requirements.txt pyproject.toml | $(BIN)/python
	@echo "installing what the service needs (requirements.txt, hashes checked)"
	@$(PIP) install --require-hashes -r requirements.txt
	@$(PIP) install --no-build-isolation --no-deps -e .
	@touch $@

$(DEVELOPMENT): requirements-dev.txt $(RUNTIME)
	@echo "installing what the tests need (requirements-dev.txt, hashes checked)"
	@$(PIP) install --require-hashes -r requirements-dev.txt
	@touch $@

# Tools whose pins and ours exclude each other, or that the service never needs, have environments of their own
# (docs/decisions/0002): a local S3; what builds the site of the documentation; checkov, zizmor and check-jsonschema (330 MB).
S3_SERVER := $(VENV)/s3-server/.installed
DOCS := $(VENV)/docs/.installed
SCANNERS := $(VENV)/scanners/.installed
$(S3_SERVER): requirements-s3.txt
$(DOCS): requirements-docs.txt
$(SCANNERS): requirements-scan.txt
$(S3_SERVER) $(DOCS) $(SCANNERS): | $(BIN)/python
	@echo "installing the tests' $(notdir $(@D)) ($<, hashes checked)"
	@$(BIN)/python -m venv $(@D)
	@$(@D)/bin/python -m pip --disable-pip-version-check --quiet --no-input install --require-hashes -r $<
	@touch $@

# A test builds the site where they are: in CI always, elsewhere after `make docs`.
ifeq ($(CI),true)
TEST_DOCS := $(DOCS)
endif

.PHONY: scanners
scanners: $(if $(filter true,$(CI)),$(SCANNERS)) ## In CI: install checkov and zizmor (PyPI)

.PHONY: install
install: $(RUNTIME) ## Install into .venv, nothing else

.PHONY: demo
demo: $(RUNTIME) ## Run the main job end to end: load 100,000 accounts, kill the worker half way, prove every row
	@$(BIN)/orgbridge demo $(if $(ROWS),--rows $(ROWS)) $(ARGS)

.PHONY: up
up: $(RUNTIME) ## Start service, worker and emulated org in one process
	@$(BIN)/orgbridge up $(ARGS)

# Installs npm's packages once; without Node.js and outside CI the tests that need them are skipped and say so.
NODE_FOLDERS := tests/contract/jsforce tests/support/azurite tests/support/cosmos
NODE_STAMPS := $(NODE_FOLDERS:=/node_modules/.package-lock.json)
$(NODE_STAMPS): %/node_modules/.package-lock.json: %/package-lock.json
	@if [ "$(CI)" = true ] && ! command -v npm >/dev/null; then \
		SUDO=$$([ "$$(id -u)" = 0 ] || echo sudo); \
		$$SUDO apt-get -q update && $$SUDO apt-get -q install -y --no-install-recommends nodejs npm; fi
	@if command -v npm >/dev/null; then echo "installing what $* needs (package-lock.json)"; \
		cd $* && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error; \
	elif [ "$(CI)" = true ]; then echo "npm cannot be had: tests that need $* cannot run" >&2; exit 2; fi

.PHONY: node
node: $(NODE_STAMPS) ## Install what the tests of jsforce, of Azure Blob and of Cosmos DB need (npm)

# RUNLEVEL=1 keeps Debian from starting the server that the package brings: the tests start their own.
.PHONY: prometheus
prometheus: ## In CI: install Prometheus, whose promtool checks rules and dashboard (apt)
	@if [ "$(CI)" = true ] && ! command -v promtool >/dev/null; then \
		SUDO=$$([ "$$(id -u)" = 0 ] || echo sudo); \
		$$SUDO apt-get -q update && $$SUDO env RUNLEVEL=1 apt-get -q install -y --no-install-recommends prometheus; fi

.PHONY: chromium
chromium: ## In CI: install the browser that looks at the console (apt)
	@if [ "$(CI)" = true ] && [ ! -x /usr/bin/chromium ]; then \
		SUDO=$$([ "$$(id -u)" = 0 ] || echo sudo); \
		$$SUDO apt-get -q update && $$SUDO apt-get -q install -y --no-install-recommends chromium; fi

# An engine that answers is taken as it is; else the tests start one of their own, and build on Debian's Python.
ENGINE := $(VENV)/engine
.PHONY: engine
engine: | $(BIN)/python ## In CI: install what the tests run containers and pods with (apt)
	@CI=$(CI) BASE_IMAGE=$(BASE_IMAGE) sh tests/support/containers/install.sh $(ENGINE)

.PHONY: test
test: $(DEVELOPMENT) $(S3_SERVER) $(TEST_DOCS) node prometheus chromium engine scanners ## Run every test, real PostgreSQL and the short chaos included
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

.PHONY: check
check: format-check lint types imports test ## Exactly what CI runs

.PHONY: format
format: $(DEVELOPMENT) ## Rewrite the code in the house's form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix --select I .

.PHONY: format-check
format-check: $(DEVELOPMENT)
	$(BIN)/ruff format --check .

.PHONY: lint
lint: $(DEVELOPMENT) ## Look for faults with ruff
	$(BIN)/ruff check .

.PHONY: types
types: $(DEVELOPMENT) ## Check the types with mypy --strict
	$(BIN)/mypy

.PHONY: imports
imports: $(DEVELOPMENT) ## Check who may import whom
	$(BIN)/lint-imports

.PHONY: chaos
chaos: $(DEVELOPMENT) $(S3_SERVER) ## Kill processes at random moments, long form (KILLS=30, ROWS=1000000 on each backend)
	$(BIN)/python -m pytest tests/chaos -p no:randomly --kills $(KILLS) --rows $(or $(ROWS),1000000) -v -rP $(ARGS)

.PHONY: bench
bench: $(DEVELOPMENT) ## Measure, print one table, write benchmarks/results.json
	$(BIN)/python -m benchmarks $(ARGS)

# Another base image: make image BASE_IMAGE=mirror.example/python:3.11-slim
BASE_IMAGE ?= python:3.11-slim
IMAGE ?= orgbridge:local
EMULATOR_IMAGE ?= orgbridge-emulator
DOCKER ?= docker
BUILD := DOCKER_BUILDKIT=1 $(DOCKER) build --build-arg BASE_IMAGE=$(BASE_IMAGE) \
	--build-arg REVISION=$$(git rev-parse HEAD 2>/dev/null || echo unknown)
.PHONY: image
image: ## Build the container image of the service (needs docker; BASE_IMAGE= another base)
	$(BUILD) --tag $(IMAGE) .

.PHONY: emulator-image
emulator-image: ## Build a container image of the emulated org (needs docker; BASE_IMAGE= another base)
	$(BUILD) --target emulator --tag $(EMULATOR_IMAGE) .

# Here a missing engine is a failure everywhere; in `make test` it is one in CI alone.
.PHONY: deploy-test
deploy-test: $(DEVELOPMENT) engine ## Only what runs containers: images, compose with a worker killed, the manifests' pods
	TEST_ENGINE=required BASE_IMAGE=$(BASE_IMAGE) $(BIN)/python -m pytest tests/system/containers tests/unit/deploy -v $(ARGS)

.PHONY: sbom
sbom: ## Write what the image is made of to dist/sbom.spdx.json, as the image itself tells it (needs docker)
	mkdir -p dist
	$(DOCKER) run --rm --interactive --network none --entrypoint python $(IMAGE) - $(IMAGE) < deploy/sbom.py > dist/sbom.spdx.json

# It runs as a container and looks at the image through the engine's socket, so nothing is installed.
TRIVY_IMAGE ?= aquasec/trivy:0.58.1
TRIVY := $(DOCKER) run --rm --volume /var/run/docker.sock:/var/run/docker.sock --volume orgbridge-trivy:/trivy --env TRIVY_CACHE_DIR=/trivy
.PHONY: scan
scan: ## Fail on serious weaknesses of the image that have a remedy (needs docker and the network)
	$(TRIVY) $(TRIVY_IMAGE) image --quiet --severity HIGH,CRITICAL --ignore-unfixed --exit-code 1 $(IMAGE)

# What they find is mended, or chosen with a reason that tests/system/test_scans.py holds.
.PHONY: scan-files
scan-files: $(DEVELOPMENT) $(SCANNERS) ## Look for weaknesses in Dockerfile, compose, manifests and workflow (needs kubectl)
	$(BIN)/python -m pytest tests/system/test_scans.py -v $(ARGS)

.PHONY: database
database: $(RUNTIME) ## Make or update the tables that PSQL_CONNECTION_STRING names
	$(BIN)/orgbridge db upgrade

.PHONY: lock
lock: ## Pin the newest versions with hashes (needs uv)
	$(UV) pip compile pyproject.toml --extra build --extra traces --universal --python-version 3.11 --generate-hashes --upgrade \
		--no-emit-index-url --custom-compile-command "make lock" --quiet -o requirements.txt
	$(UV) pip compile pyproject.toml --extra build --extra traces --extra dev --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --custom-compile-command "make lock" --quiet -c requirements.txt -o requirements-dev.txt
	$(call lock-apart,s3,moto[server])
	$(call lock-apart,scan,checkov check-jsonschema zizmor)
	$(call lock-apart,docs,mkdocs<2 mkdocs-material)

define lock-apart
printf '%s\n' $(foreach one,$(2),'$(one)') | $(UV) pip compile - --universal --python-version 3.11 --generate-hashes --upgrade \
		--no-emit-index-url --custom-compile-command "make lock" --quiet -o requirements-$(1).txt
endef

.PHONY: docs
docs: $(DOCS) ## Build the site of the documentation into dist/docs
	@NO_MKDOCS_2_WARNING=1 $(VENV)/docs/bin/mkdocs build --strict --quiet
	@! grep -rlE '(src|<link[^>]*href)="https?://' dist/docs --include='*.html' || { echo "the site asks another host" >&2; exit 1; }
	@echo "dist/docs/index.html"
