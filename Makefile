# Everything runs in a virtual environment of its own, .venv; make lab is all a newcomer needs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
WORKERS ?= 2
BROWSER_PART := $(shell find labextension/src labextension/style labextension/schema -type f)
SERVER_TESTS := tests --ignore=tests/browser --ignore=tests/benchmarks --ignore=tests/notebooks

# Kernels start three times as fast from compiled files.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: lab test soak lint unit notebooks browser bench pictures build clean

lab: $(STAMP)
	$(BIN)/natslab lab

test: lint unit notebooks browser

$(STAMP): pyproject.toml hatch_build.py labextension/package-lock.json $(BROWSER_PART)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "natslab needs Python 3.11 or newer; say which: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "Python cannot make a virtual environment; on Debian: apt install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e '.[lab,test]'
	@touch $@

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

unit: $(STAMP)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m 'not soak' $(SERVER_TESTS)

notebooks: $(STAMP)
	$(BIN)/natslab test --jobs $(WORKERS)
	$(BIN)/python -m pytest -n $(WORKERS) -m 'not soak' tests/notebooks

browser: $(STAMP)
	$(BIN)/python -m pytest -m 'not soak' tests/browser

soak: $(STAMP)
	NATSLAB_SOAK=1 $(BIN)/python -m pytest -m soak --timeout 900 tests

bench: $(STAMP)
	$(BIN)/python -m tests.benchmarks

pictures: $(STAMP)
	$(BIN)/python -m tests.browser.pictures

build: $(STAMP)
	rm -rf dist natslab/labextension natslab/views/static/*.js  # what is there may be for development
	$(BIN)/python -m build

clean:
	rm -rf $(VENV) dist build natslab/labextension natslab/views/static/*.js labextension/lib \
	  labextension/node_modules labextension/tsconfig.tsbuildinfo
