.DEFAULT_GOAL := help
# Debian's own Python where it can make environments: other users can run it too, unlike one below a home directory.
PYTHON ?= $(shell /usr/bin/python3 -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo /usr/bin/python3 || echo python3)
RECIPE ?= recipes/debian.yaml
BIN := .venv/bin

.PHONY: help setup image test test-all check format docs lock-python bench clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: .venv/.ready ## make .venv with wslimg and everything it needs

.venv/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'make: Python 3.11 or newer with venv is needed. On Debian and Ubuntu: apt install make python3-venv' >&2; exit 2; }
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

.venv/.servers: .venv/.ready tests/requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/requirements.lock
	@touch $@

image: setup ## build RECIPE (recipes/debian.yaml) into dist/ with the embedded engine
	$(BIN)/wslimg build $(RECIPE) --out dist --engine sandbox

test: setup ## the tests that need nothing but Python; what is skipped says why
	$(BIN)/python -m pytest -m "not system" -n auto

test-all: .venv/.servers ## every test; as root, installs Debian packages first
	tests/install-tools
	$(MAKE) --no-print-directory check
	$(BIN)/python -m pytest -m "not system" -n auto
	$(BIN)/python -m pytest -m system

check: setup ## formatting, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: setup ## write docs/reference and the JSON Schema of recipes from the code
	$(BIN)/python -m docs.generate

COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
  --no-header --no-annotate pyproject.toml

lock-python: setup ## refresh requirements.lock and tests/requirements.lock from pyproject.toml
	$(BIN)/python -m pip install --quiet uv
	$(COMPILE) --extra cloud --extra smb --extra dev -o requirements.lock
	$(COMPILE) --all-extras -c requirements.lock -o tests/requirements.lock

bench: setup ## measure side by side with what users would use instead; writes docs/benchmarks.md
	$(BIN)/python -m benchmarks

clean: ## remove what setup and image made (the cache stays: wslimg cache prune)
	rm -rf .venv dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
