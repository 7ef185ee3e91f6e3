# make demo, make test: see README.md. Both need Python 3.11 or newer, pip and make.

PYTHON ?= python3
# PyTorch's index of CPU builds, where PyPI's own build is the CUDA one (Linux on x86-64):
#   make demo TORCH_INDEX=...   (the address stands on pytorch.org, under "Get started")
TORCH_INDEX ?=
# -1 trains on the CPU, 0 on the first GPU.
GPU ?= -1

BIN = .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK = 1
export PIP_CONSTRAINT = constraints.txt
export PYTHONUNBUFFERED = 1
export TOKENIZERS_PARALLELISM = false
# On a busy machine OpenMP's spinning threads wait for each other longer than they work.
export OMP_WAIT_POLICY ?= PASSIVE
ifneq ($(TORCH_INDEX),)
export PIP_EXTRA_INDEX_URL = $(TORCH_INDEX)
endif

.PHONY: demo test install lint clean

demo: install
	$(BIN)/python -m spacy project run all . --vars.gpu_id $(GPU)

test: install
	$(BIN)/python -m pytest

install: .venv/installed

.venv/installed: setup.cfg constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --editable .[dev]
	touch $@

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf .venv .venv-check build dist packages training metrics corpus/*.spacy
