# Set-up and the everyday commands. Everything is installed into .venv; nothing outside this folder changes.

.DEFAULT_GOAL := help
.PHONY: help demo test build check conformance env env-dev

# make PYTHON=/path/to/python chooses the one that .venv is made with
PYTHON ?=
BUILD_FLAGS ?=

help:
	@echo "make demo    build, then show one prompt at T=+0.001 and T=-0.001 side by side"
	@echo "make test    build, then prove it: patches regenerate byte for byte, all tests"
	@echo "make build   only build and install (BUILD_FLAGS='--backend cuda' for a GPU, --verbose for all of it)"
	@echo "make check   what a change must pass: linters, types, shell scripts, all tests"
	@echo "make conformance   build stock llama.cpp as well: the same seeds must give the same tokens at T >= 0"

demo: env
	.venv/bin/negtemp compare
	@echo "One prompt, twice: at T=+0.001 this model's most likely words, at T=-0.001 its least likely tokens."
	@echo "Next: .venv/bin/negtemp run, or with a GGUF file of yours: .venv/bin/negtemp compare -m model.gguf"

test: env-dev
	scripts/build_llama.sh --check
	.venv/bin/python -m pytest -n auto --dist worksteal

build: env

check: env-dev
	scripts/check.sh

conformance: env-dev
	scripts/conformance.sh

# each script knows best whether there is anything to do
env:
	@scripts/environment.sh create $(if $(PYTHON),"$(PYTHON)")
	@scripts/build_llama.sh $(BUILD_FLAGS)
	@scripts/environment.sh install

env-dev: env
	@scripts/environment.sh install dev
	@command -v npm >/dev/null && scripts/web_tools.sh || echo "no npm: the pages' types and accessibility are not checked"
