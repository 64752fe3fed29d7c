# The C tests: correctness, constant time, sanitizers, fuzzing, other processors.
# Works from the root of the repository, through the Makefile or as `make -f tests/c/tests.mk TARGET`.
# A variant is a compiler with flags; build/c/VARIANT holds its objects and programs.

CT_CC ?= gcc
CT_CLANG ?= clang-14
CT_AARCH64 ?= aarch64-linux-gnu-gcc
CT_FUZZ_SECONDS ?= 60

CT_BUILD := build/c
# The Python lists need the interpreter; nothing else of the core needs anything but libc.
CT_CORE := $(filter-out csrc/kf_pylist.c,$(wildcard csrc/kf_*.c))
CT_TESTS := $(wildcard tests/c/kft_*.c tests/c/test_*.c) tests/c/main.c
CT_HEADERS := $(wildcard csrc/*.h tests/c/*.h)
CT_FLAGS := $(shell cat csrc/cflags.txt) -Icsrc -Itests/c -g -pthread

# $(call ct_program,NAME,SOURCES,COMPILER,FLAGS,LINK FLAGS): build/c/NAME/run from the sources.
define ct_program
$(CT_BUILD)/$(1)/%.o: %.c $(CT_HEADERS) csrc/cflags.txt tests/c/tests.mk
	@mkdir -p $$(@D)
	$(3) $(CT_FLAGS) $(4) -c $$< -o $$@
$(CT_BUILD)/$(1)/run: $(patsubst %.c,$(CT_BUILD)/$(1)/%.o,$(2))
	$(3) $$^ -o $$@ -pthread $(4) $(5)
endef

# ---- correctness ---------------------------------------------------------------------------------

$(eval $(call ct_program,test,$(CT_CORE) $(CT_TESTS),$(CT_CC),-DKF_TESTING))

.PHONY: c-test c-test-full
c-test: $(CT_BUILD)/test/run ## the C core's tests on every implementation that this CPU has
	$<
	KMSFAST_CPU_MASK=shani $< --only hashes
	KMSFAST_IMPL=portable $< --only blobs

c-test-full: $(CT_BUILD)/test/run ## the same with the million accumulated vectors of XAES
	$< --full
