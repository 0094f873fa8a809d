# Everything here works from a fresh clone: the environment is made where it is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
KILLS ?= 20

# uv does not read pip's settings, so a folder of wheels that pip knows is passed on. Without
# one, uv takes the CPU build of PyTorch from PyTorch's own index.
FIND_LINKS := $(shell $(PYTHON) -m pip config get global.find-links 2>/dev/null)
TORCH := $(if $(FIND_LINKS),--find-links $(FIND_LINKS),--torch-backend cpu)

.DEFAULT_GOAL := help
.PHONY: help install demo test check lint accuracy test-crash bench model clean
.DELETE_ON_ERROR:

help:  ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

$(READY): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python $(TORCH) --editable '.[cpu,dev]'
	touch $@

install: $(READY)  ## Make .venv with llmbatch, its CPU engine and the developers' tools

demo: $(READY)  ## Run the sample job with the bundled model on the CPU
	rm -rf demo && mkdir demo
	$(BIN)/llmbatch run samples/tickets/job.toml -o demo/answers.jsonl
	@echo; echo "The first answers (demo/answers.jsonl):"; head -n 3 demo/answers.jsonl
	@echo; $(BIN)/python samples/tickets/score.py demo/answers.jsonl

test: $(READY)  ## Run the whole test suite
	$(BIN)/python -m pytest -q

lint: $(READY)  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

check: lint  ## ruff, mypy, the layer test first, then all tests
	$(BIN)/python -m pytest -q tests/unit/test_layers.py
	$(MAKE) test

accuracy: $(READY)  ## Score the bundled model on the held-out tickets, with and without a schema
	sh samples/tickets/accuracy.sh $(BIN)

test-crash: $(READY)  ## Kill a run of the real engine KILLS times; the output must not show it
	$(BIN)/python tests/crash/sigkill.py --engine vllm --kills $(KILLS) --rows 2000

bench: $(READY)  ## Compare the generation phase with LLM.generate, side by side
	$(BIN)/python tests/bench/bench.py

model: $(READY)  ## Train the bundled model from scratch (see samples/model/README.md)
	$(BIN)/python samples/model/train.py

clean:  ## Remove what was built and the demo
	rm -rf $(VENV) demo build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
