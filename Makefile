# Every command sets up what it needs, in a virtual environment of its own. Other Python: make test PYTHON=python3.7 VENV=.venv37
PYTHON ?= python3
VENV ?= .venv
DEMO ?= .demo

BIN = $(VENV)/bin
STAMP = $(VENV)/.installed
LINT_STAMP = $(VENV)/.lint-installed
# Versions a leg was tested with; a Python without such a file takes the newest that pyproject.toml allows.
LEG = py$(shell $(PYTHON) -c 'import sys; print("%d%d" % sys.version_info[:2])')
CONSTRAINTS = $(addprefix -c ,$(wildcard constraints/$(LEG).txt))

.PHONY: demo test test-fast chaos soak lint types docs pictures benchmarks clean

demo: $(STAMP) ## the main job on drawn scenes, with the built-in detector, on two CPU workers
	$(BIN)/python -m divainfer.model.demo.scenes --out $(DEMO)/frames --count 200 --seed 7
	$(BIN)/divainfer run --model demo --images $(DEMO)/frames/frames.lst --out $(DEMO)/results --gpus cpu:2
	$(BIN)/python -m divainfer.model.demo.evaluate --truth $(DEMO)/frames/truth.json --results $(DEMO)/results
	$(BIN)/divainfer draw $(DEMO)/results --sample 12 --sheet $(DEMO)/sheet.jpg
	@echo "Results: $(DEMO)/results/*.json. Drawn detections: $(DEMO)/sheet.jpg"

test: $(STAMP) ## all tests
	$(BIN)/python -m pytest

test-fast: $(STAMP) ## the tests that start no process
	$(BIN)/python -m pytest tests/unit tests/property

chaos: $(STAMP) ## every failure x process x moment, and more disks than the normal tests have; minutes
	$(BIN)/python -m pytest tests/chaos -m 'not soak'

soak: $(STAMP) ## random histories of a run: make soak SOAK_HISTORIES=200 SOAK_MINUTES=60; SOAK_SEED repeats them
	$(BIN)/python -m pytest tests/chaos/test_soak.py -m soak

docs: $(STAMP) ## the pages that are made from the code
	$(BIN)/python docs/make_options.py
	$(BIN)/python docs/make_prometheus.py

pictures: $(STAMP) ## those of docs/how-to, of a real run; needs tmux and Chromium
	$(BIN)/python docs/make_pictures.py

benchmarks: $(STAMP) ## writes JSON and plots to benchmarks/out
	$(BIN)/python benchmarks/peers
	$(BIN)/python benchmarks/pool.py
	$(BIN)/python benchmarks/seed_tables.py
	$(BIN)/python benchmarks/resume.py
	$(BIN)/python benchmarks/scale.py
	$(BIN)/python benchmarks/run_types.py
	$(BIN)/python benchmarks/sampling.py
	$(BIN)/python benchmarks/call.py

lint: $(LINT_STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# mypy names a module after its folder, so it is shown the checkout under the package's name.
types: $(LINT_STAMP)
	mkdir -p $(VENV)/types && ln -sfn $(CURDIR) $(VENV)/types/divainfer
	cd $(VENV)/types && MYPYPATH=. $(CURDIR)/$(BIN)/mypy --config-file $(CURDIR)/pyproject.toml -p divainfer

$(STAMP): pyproject.toml $(wildcard constraints/$(LEG).txt)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(CONSTRAINTS) --editable '.[cpu,test]'
	touch $@

$(LINT_STAMP): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(CONSTRAINTS) --editable '.[cpu,test,lint]'
	touch $@

clean: ## everything these commands made
	rm -rf $(VENV) $(DEMO)
