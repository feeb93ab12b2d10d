# Verbs only; what they do is in the scripts and commands that they call.

PYTHON := .venv/bin/python

export KERAS_BACKEND := tensorflow
export TF_CPP_MIN_LOG_LEVEL := 3

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format formal mutants verify widths firmware peers benchmark clean

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' Makefile

setup: ## install what is missing: Debian packages and .venv
	@scripts/setup.sh

demo: setup ## run the whole chain on synthesised speech
	$(PYTHON) scripts/demo.py

test: lint ## lint, then run the tests
	$(PYTHON) -m pytest

lint: setup ## check format, style and types
	$(PYTHON) -m ruff format --check
	$(PYTHON) -m ruff check
	$(PYTHON) -m mypy

format: setup ## format the sources and sort their imports
	$(PYTHON) -m ruff check --select I --fix
	$(PYTHON) -m ruff format

formal: setup ## prove the properties of the RTL
	$(PYTHON) scripts/prove.py

mutants: setup ## plant faults in the RTL and see the benches find them
	$(PYTHON) scripts/mutate_rtl.py

verify: setup ## compare the shipped network on every rung, from checkpoint to netlist
	$(PYTHON) scripts/verify.py $(firstword $(wildcard weights/*/ds_cnn_*.npz))

widths: setup ## report the proven bit widths of the shipped network, lint the RTL by them
	$(PYTHON) scripts/bitwidths.py $(firstword $(wildcard weights/*/network.npz))
	$(PYTHON) scripts/lint_widths.py $(firstword $(wildcard weights/*/network.npz)) --config small
	$(PYTHON) scripts/lint_widths.py $(firstword $(wildcard weights/*/network.npz)) --config balanced
	$(PYTHON) scripts/lint_widths.py $(firstword $(wildcard weights/*/network.npz)) --config fast

firmware: setup ## run the shipped network's C on an emulated Cortex-M4, report what it needs
	$(PYTHON) scripts/firmware.py --network $(firstword $(wildcard weights/*/network.npz)) \
		--cases $(firstword $(wildcard golden/vectors/*/cases.npz))

peers: work/peers/peers.lock ## install hls4ml and da4ml for the benchmark, apart from .venv

work/peers/peers.lock: scripts/benchmarking/peers.lock | setup
	rm -rf $(@D)
	$(PYTHON) -m pip install -qq --disable-pip-version-check --require-hashes --only-binary :all: \
		--no-deps --target $(@D) --requirement $<
	cp $< $@

benchmark: setup peers ## measure all speeds, side by side with peers
	$(PYTHON) scripts/benchmark.py --growth --checkpoint $(firstword $(wildcard weights/*/ds_cnn_*.npz))

clean: ## remove everything that was generated at run time, except .venv
	rm -rf work .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
