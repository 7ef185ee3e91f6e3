# make demo, make test: see README.md. Both need Python 3.11 or newer, pip and make.

PYTHON ?= python3
# PyTorch's index of CPU builds, where PyPI's own build is the CUDA one (Linux on x86-64):
#   make demo TORCH_INDEX=...   (the address stands on pytorch.org, under "Get started")
TORCH_INDEX ?=
# Where there is no network, a folder that "make wheelhouse" filled where there was one:
#   make demo WHEELHOUSE=wheelhouse
WHEELHOUSE ?=
# -1 trains on the CPU, 0 on the first GPU.
GPU ?= -1

BIN = .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK = 1
export PIP_CONSTRAINT = constraints.txt
export PYTHONUNBUFFERED = 1
export TOKENIZERS_PARALLELISM = false
# How often an OpenMP thread of torch looks for work before it sleeps. Without a limit, threads on a
# busy machine wait for each other longer than they work; asleep at once, they wake too late.
export GOMP_SPINCOUNT ?= 5000
# Memory that a batch lets go of stays with a training for the next one. To ask the system for it
# again takes up to a tenth of a training's time on a virtual machine.
demo: export MALLOC_TRIM_THRESHOLD_ ?= 1000000000
demo: export MALLOC_MMAP_THRESHOLD_ ?= 1000000000
ifneq ($(TORCH_INDEX),)
export PIP_EXTRA_INDEX_URL = $(TORCH_INDEX)
endif

ifneq ($(WHEELHOUSE),)
# As an address, since pip reads a blank in a path as the start of another.
WHEELS := $(shell $(PYTHON) -c "import pathlib; \
	print(pathlib.Path(r'$(WHEELHOUSE)').resolve(strict=True).as_uri())")
ifeq ($(WHEELS),)
$(error WHEELHOUSE=$(WHEELHOUSE): no such folder. Make it with "make wheelhouse")
endif
export PIP_NO_INDEX = 1
export PIP_FIND_LINKS = $(WHEELS)
endif

STATEMENT = Synthetic notes, made by corpus/make_sample.py: no patient, no author and no \
	hospital stands behind them. The pipeline shows that the project works, and is of no use \
	on real notes.

.PHONY: demo test install lint wheelhouse clean

demo: install
	$(BIN)/python -m spacy project run all . --vars.gpu_id $(GPU) \
		--vars.data_statement "$(STATEMENT)" --vars.licence MIT

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

# All wheels that the other targets install, for this Python and this kind of machine.
wheelhouse:
	rm -rf .venv-wheelhouse wheelhouse wheelhouse.part
	$(PYTHON) -m venv .venv-wheelhouse
	.venv-wheelhouse/bin/python -m pip wheel --wheel-dir wheelhouse.part \
		.[dev] pip setuptools wheel
	rm wheelhouse.part/spacy_bertlstm-*.whl
	.venv-wheelhouse/bin/python scripts/fetch_encoder.py --wheel-to wheelhouse.part
	cp constraints.txt wheelhouse.part
	mv wheelhouse.part wheelhouse
	rm -rf .venv-wheelhouse

clean:
	rm -rf .venv .venv-check .venv-wheelhouse build dist packages training metrics corpus/*.spacy
