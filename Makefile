# Set-up and the everyday commands. Everything is installed into .venv; nothing outside this folder changes.

.DEFAULT_GOAL := help
.PHONY: help demo test build check conformance env env-dev

PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
PIP := .venv/bin/python -m pip --disable-pip-version-check --quiet
BUILD_FLAGS ?=

help:
	@echo "make demo    build, then show one prompt at T=+0.001 and T=-0.001 side by side"
	@echo "make test    build, then prove it: patches regenerate byte for byte, all tests"
	@echo "make build   only build and install (BUILD_FLAGS='--backend cuda' for a GPU)"
	@echo "make check   what a change must pass: linters, types, shell scripts, all tests"
	@echo "make conformance   build stock llama.cpp as well: the same seeds must give the same tokens at T >= 0"

demo: env
	.venv/bin/negtemp compare

test: env-dev
	scripts/build_llama.sh --check
	.venv/bin/python -m pytest -n auto --dist worksteal

build: env

check: env-dev
	scripts/check.sh

conformance: env-dev
	scripts/conformance.sh

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "negtemp needs Python 3.11 or newer; name one with make PYTHON=/path/to/python" >&2; exit 1; }
	$(PYTHON) -m venv .venv

# the build script knows best whether there is anything to do
env: .venv/bin/python
	@scripts/build_llama.sh $(BUILD_FLAGS)
	@$(MAKE) --no-print-directory .venv/installed

env-dev: env
	@$(MAKE) --no-print-directory .venv/installed-dev

.venv/installed: pyproject.toml
	$(PIP) install --editable .
	@touch $@

.venv/installed-dev: pyproject.toml
	$(PIP) install --editable '.[dev]'
	@touch $@
