# The C tests: correctness, constant time, sanitizers, fuzzing, other processors (tests/c/README.md).
# Works from the root of the repository, through the Makefile or as `make -f tests/c/tests.mk TARGET`.
# A variant is a compiler with flags; build/c/VARIANT holds its objects and programs.

CT_CC ?= gcc
CT_CLANG ?= clang-14
CT_AARCH64 ?= aarch64-linux-gnu-gcc
CT_FUZZ_SECONDS ?= 60

CT_BUILD := build/c
comma := ,
# The Python lists need the interpreter; nothing else of the core needs anything but libc.
CT_CORE := $(filter-out csrc/kf_pylist.c,$(wildcard csrc/kf_*.c))
CT_FRAME := $(wildcard tests/c/kft_*.c)
CT_TESTS := $(CT_FRAME) $(wildcard tests/c/test_*.c) tests/c/main.c
CT_HEADERS := $(wildcard csrc/*.h tests/c/*.h tests/c/*/*.h)
CT_FLAGS := $(shell cat csrc/cflags.txt) -Icsrc -Itests/c -g -pthread
CT_GCC_ONLY := -fno-tree-ter -fno-schedule-insns2

# $(call ct_flags,COMPILER): the flags that it knows; valgrind 3.19 cannot read clang's DWARF 5.
ct_flags = $(if $(findstring clang,$(1)),$(filter-out $(CT_GCC_ONLY),$(CT_FLAGS)) -gdwarf-4,$(CT_FLAGS))

# $(call ct_program,NAME,SOURCES,COMPILER,FLAGS,LINK FLAGS): build/c/NAME/run from the sources.
define ct_program
$(CT_BUILD)/$(1)/%.o: %.c $(CT_HEADERS) csrc/cflags.txt tests/c/tests.mk
	@mkdir -p $$(@D)
	@echo "  $(notdir $(firstword $(3))) $(1) $$<"
	@$(3) $(call ct_flags,$(3)) $(4) -c $$< -o $$@
$(CT_BUILD)/$(1)/run: $(patsubst %.c,$(CT_BUILD)/$(1)/%.o,$(2))
	@$(3) $$^ -o $$@ -pthread $(4) $(5)
endef

# $(call ct_needs,PROGRAM,PACKAGES): tries to install them; ends the target if PROGRAM is still missing.
define ct_needs
	@command -v $(1) >/dev/null || tools/debian-packages $(2)
	@command -v $(1) >/dev/null || { echo "$@ needs $(1); on Debian: sudo apt-get install -y $(2)" >&2; exit 1; }
endef

# clang and its runtime, which is a package of its own: the compiler may be there without it.
ct_links := echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' \
	| $(CT_CLANG) -fsanitize=fuzzer,address -x c - -o /dev/null 2>/dev/null
define ct_needs_runtime
	$(call ct_needs,$(CT_CLANG),clang-14 libclang-rt-14-dev)
	@$(ct_links) || tools/debian-packages libclang-rt-14-dev
	@$(ct_links) || { echo "$@ needs clang's runtime; on Debian: sudo apt-get install -y libclang-rt-14-dev" >&2; exit 1; }
endef

# ---- correctness ---------------------------------------------------------------------------------

$(eval $(call ct_program,test,$(CT_CORE) $(CT_TESTS),$(CT_CC),-DKF_TESTING))

.PHONY: c-test c-test-full
c-test: $(CT_BUILD)/test/run ## the C core's tests on every implementation that this CPU has
	$<
	KMSFAST_CPU_MASK=shani $< --only hashes,hmac_many,mac,mac_residue
	KMSFAST_IMPL=portable $< --only blobs,bound

c-test-full: $(CT_BUILD)/test/run ## the same with the million accumulated vectors of XAES
	$< --full

# ---- constant time -------------------------------------------------------------------------------

CT_VAES := $(filter %_vaes.c,$(CT_CORE))
CT_MARKED := $(CT_CORE) tests/c/kft_util.c tests/c/kft_p256_one.c tests/c/ctime/halves.c tests/c/ctime/lanes_fma.c
CT_WRAPS := -Wl,--wrap=getrandom,--wrap=read,--wrap=kf_cpu

# $(call ct_halves,NAME,COMPILER,FLAGS): the VAES kernels of a variant as any CPU with AVX2 can run them:
# the assembly that the compiler makes, with each 256-bit AES instruction as two.
define ct_halves
$(patsubst %.c,$(CT_BUILD)/$(1)/%.o,$(CT_VAES)): $(CT_BUILD)/$(1)/%.o: %.c $(CT_HEADERS) tests/c/ctime/halve
	@mkdir -p $$(@D)
	@echo "  $(2) $(1) $$< (halves)"
	@$(2) $(filter-out -g -gdwarf-4,$(call ct_flags,$(2))) $(3) -S $$< -o $$(@:.o=.whole.s)
	@tests/c/ctime/halve $$(@:.o=.whole.s) $$(@:.o=.s)
	@$(2) -c $$(@:.o=.s) -o $$@
endef

# $(call ct_ctime,NAME,COMPILER,FLAGS): build/c/NAME/run, and run-1 to run-3 with a planted leak; for P-256 p256 and
# p256-1 to p256-3.
define ct_ctime
$(call ct_program,$(1),$(CT_MARKED) tests/c/ctime/ctime.c,$(2),$(3) -DKF_VALGRIND,$(CT_WRAPS))
$(call ct_halves,$(1),$(2),$(3) -DKF_VALGRIND)
$(CT_BUILD)/$(1)/run-%: $(CT_BUILD)/$(1)/run tests/c/ctime/ctime.c
	@$(2) $(call ct_flags,$(2)) $(3) -DKF_VALGRIND -DKF_PLANT_LEAK=$$* tests/c/ctime/ctime.c \
		$(patsubst %.c,$(CT_BUILD)/$(1)/%.o,$(CT_MARKED)) -o $$@ $(CT_WRAPS)
$(CT_BUILD)/$(1)/p256: $(CT_BUILD)/$(1)/run tests/c/ctime/ctime_p256.c
	@$(2) $(call ct_flags,$(2)) $(3) -DKF_VALGRIND tests/c/ctime/ctime_p256.c \
		$(patsubst %.c,$(CT_BUILD)/$(1)/%.o,$(CT_MARKED)) -o $$@ -pthread $(CT_WRAPS)
$(CT_BUILD)/$(1)/p256-%: $(CT_BUILD)/$(1)/run tests/c/ctime/ctime_p256.c
	@$(2) $(call ct_flags,$(2)) $(3) -DKF_VALGRIND -DKF_PLANT_LEAK=$$* tests/c/ctime/ctime_p256.c \
		$(patsubst %.c,$(CT_BUILD)/$(1)/%.o,$(CT_MARKED)) -o $$@ -pthread $(CT_WRAPS)
endef

CT_LEAKS := 1 2 3
CT_TIMED := ctime-gcc-O2 ctime-gcc-O3 ctime-clang-O2 ctime-clang-O3
CT_CLEAN := $(foreach v,$(CT_TIMED),$(CT_BUILD)/$(v)/run $(CT_BUILD)/$(v)/p256)
CT_LEAKING := $(foreach v,$(CT_TIMED),$(foreach l,$(CT_LEAKS),$(CT_BUILD)/$(v)/run-$(l) $(CT_BUILD)/$(v)/p256-$(l)))
$(eval $(call ct_ctime,ctime-gcc-O2,$(CT_CC),-O2))
$(eval $(call ct_ctime,ctime-gcc-O3,$(CT_CC),-O3))
$(eval $(call ct_ctime,ctime-clang-O2,$(CT_CLANG),-O2))
$(eval $(call ct_ctime,ctime-clang-O3,$(CT_CLANG),-O3))

# The rewritten kernels compute what the others do: natively, on any CPU with AVX2.
$(eval $(call ct_program,halves,$(CT_CORE) $(CT_TESTS) tests/c/ctime/halves.c,$(CT_CC),-DKF_TESTING,-Wl$(comma)--wrap=kf_cpu))
$(eval $(call ct_halves,halves,$(CT_CC),-DKF_TESTING))

.PHONY: ctime ctime-quick ctime-tools ctime-halves
ctime-tools:
	$(call ct_needs,valgrind,valgrind)
	$(call ct_needs,$(CT_CLANG),clang-14)
	@echo '#include <valgrind/memcheck.h>' | $(CT_CC) -E - >/dev/null || \
		{ echo "ctime needs valgrind's headers; on Debian: sudo apt-get install -y valgrind" >&2; exit 1; }

ctime-halves: $(CT_BUILD)/halves/run
	$< --impl vaes

ctime: ctime-tools ## constant time under valgrind: gcc and clang, -O2 and -O3; planted leaks are found
	@$(MAKE) --no-print-directory $(CT_CLEAN) $(CT_LEAKING)
	tests/c/ctime/check clean $(CT_CLEAN)
	tests/c/ctime/check leak $(CT_LEAKING)
	@[ $$(uname -m) != x86_64 ] || $(MAKE) --no-print-directory ctime-halves
	@echo "ctime: passed. portable and aesni ran as they are, vaes as compiled but with each 256-bit AES"
	@echo "instruction and multiplication as two of 128 bits: valgrind does not know these."

CT_QUICK := $(CT_BUILD)/ctime-gcc-O2
ctime-quick: $(addprefix $(CT_QUICK)/,run run-1 run-2 p256 p256-1)
	tests/c/ctime/check clean $(CT_QUICK)/run $(CT_QUICK)/p256
	tests/c/ctime/check leak $(CT_QUICK)/run-1 $(CT_QUICK)/run-2 $(CT_QUICK)/p256-1

# ---- timing ----------------------------------------------------------------------------------------

CT_DUDECT_SECONDS ?= 20
$(eval $(call ct_program,dudect,$(CT_CORE) tests/c/kft_util.c tests/c/kft_p256.c tests/c/dudect.c,$(CT_CC),,-lm))

.PHONY: dudect
dudect: $(CT_BUILD)/dudect/run ## timing of P-256 on secrets of two classes, on an idle machine; CT_DUDECT_SECONDS=20
	$< $(CT_DUDECT_SECONDS)

# ---- sanitizers ----------------------------------------------------------------------------------

CT_SANITIZE := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
CT_RACES := -O1 -fsanitize=thread
$(eval $(call ct_program,sanitize-gcc,$(CT_CORE) $(CT_TESTS),$(CT_CC),$(CT_SANITIZE) -DKF_TESTING))
$(eval $(call ct_program,sanitize-clang,$(CT_CORE) $(CT_TESTS),$(CT_CLANG),$(CT_SANITIZE) -DKF_TESTING))
$(eval $(call ct_program,races,$(CT_CORE) $(CT_FRAME) tests/c/test_reactor.c tests/c/test_reactor_holds.c tests/c/races.c,$(CT_CC),$(CT_RACES)))
CT_SANITIZED := ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:exitcode=77 UBSAN_OPTIONS=print_stacktrace=1

.PHONY: sanitize
sanitize: ## AddressSanitizer, UndefinedBehaviorSanitizer (gcc and clang) and ThreadSanitizer
	$(ct_needs_runtime)
	@$(MAKE) --no-print-directory $(CT_BUILD)/sanitize-gcc/run $(CT_BUILD)/sanitize-clang/run $(CT_BUILD)/races/run
	$(CT_SANITIZED) timeout 600 $(CT_BUILD)/sanitize-gcc/run
	$(CT_SANITIZED) timeout 600 $(CT_BUILD)/sanitize-clang/run
	timeout 300 $(CT_BUILD)/races/run

# ---- fuzzing -------------------------------------------------------------------------------------

CT_FUZZ_FRAME := $(filter-out tests/c/fuzz/fuzz_entry.c tests/c/fuzz/fuzz_smoke.c,$(wildcard tests/c/fuzz/*.c)) \
	tests/c/kft_util.c
CT_FUZZ_FLAGS := -O1 -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all
CT_FUZZ_LINK := -fsanitize=address,undefined,fuzzer -Wl,--wrap=getrandom
CT_TARGETS := blob sealed root p256 request socket
$(eval $(call ct_program,fuzz,$(CT_CORE) $(CT_FUZZ_FRAME) tests/c/fuzz/fuzz_smoke.c,$(CT_CLANG),$(CT_FUZZ_FLAGS),-Wl$(comma)--wrap=getrandom))
$(eval $(call ct_program,smoke,$(CT_CORE) $(CT_FUZZ_FRAME) tests/c/fuzz/fuzz_smoke.c,$(CT_CC),$(CT_SANITIZE),-Wl$(comma)--wrap=getrandom))

$(CT_BUILD)/fuzz/target-%: $(CT_BUILD)/fuzz/run tests/c/fuzz/fuzz_entry.c
	@$(CT_CLANG) $(call ct_flags,$(CT_CLANG)) $(CT_FUZZ_FLAGS) -DFUZZ_TARGET=fuzz_$* tests/c/fuzz/fuzz_entry.c \
		$(patsubst %.c,$(CT_BUILD)/fuzz/%.o,$(CT_CORE) $(CT_FUZZ_FRAME)) -o $@ $(CT_FUZZ_LINK)

# The parts of CT_FUZZ_SECONDS that the targets get, in tenths.
CT_SHARE_blob := 3
CT_SHARE_sealed := 1
CT_SHARE_root := 1
CT_SHARE_p256 := 2
CT_SHARE_request := 1
CT_SHARE_socket := 2
define ct_fuzz
	@mkdir -p $(CT_BUILD)/fuzz/corpus-$(1)
	$(CT_BUILD)/fuzz/target-$(1) -max_total_time=$$((($(CT_FUZZ_SECONDS) * $(CT_SHARE_$(1)) + 9) / 10)) -max_len=800 -timeout=10 \
		-rss_limit_mb=1024 -artifact_prefix=$(CT_BUILD)/fuzz/ $(CT_BUILD)/fuzz/corpus-$(1) $(CT_BUILD)/fuzz/seeds \
		2>$(CT_BUILD)/fuzz/$(1).log || { tail -n 60 $(CT_BUILD)/fuzz/$(1).log; exit 1; }
	@grep Done $(CT_BUILD)/fuzz/$(1).log

endef

.PHONY: fuzz fuzz-smoke
fuzz: ## libFuzzer on blobs, sealed batches, root key files, signatures, requests and frames; CT_FUZZ_SECONDS=60 in all
	$(ct_needs_runtime)
	@$(MAKE) --no-print-directory $(CT_TARGETS:%=$(CT_BUILD)/fuzz/target-%)
	@mkdir -p $(CT_BUILD)/fuzz/seeds
	$(CT_BUILD)/fuzz/run 300 $(CT_BUILD)/fuzz/seeds
	$(foreach t,$(CT_TARGETS),$(call ct_fuzz,$(t)))

fuzz-smoke: $(CT_BUILD)/smoke/run
	$(CT_SANITIZED) timeout 120 $< 3000

# ---- other processors ----------------------------------------------------------------------------

CT_FLOW := $(CT_CORE) tests/c/kft_util.c tests/c/ctime/flow.c
$(eval $(call ct_program,arm,$(CT_CORE) $(CT_TESTS),$(CT_AARCH64),-DKF_TESTING,-static))
$(eval $(call ct_program,arm-flow,$(CT_FLOW),$(CT_AARCH64),,-static))
$(eval $(call ct_program,arm-flow-leak,$(CT_FLOW),$(CT_AARCH64),-DKF_PLANT_LEAK=1,-static))
$(eval $(call ct_program,x86,$(CT_CORE) $(CT_TESTS),$(CT_CC),-DKF_TESTING,-static))
# Emulation is slow: the longest tests of the kernels are left to the machine's own CPU, except on ARMv8.
CT_SOON := aes_blocks,nist_vectors,xaes_vectors,selftest_of_impl,aad,unaligned,page_ends,in_place,corruption,tiny,residue
CT_P256 := p256_scalars,p256_rfc6979,p256_nonces,p256_signing,p256_faults,p256_encodings,p256_dispatch,p256_selftest
CT_LIBRARY := selftest_faults,arena,hashes,hmac_many,dispatch,blobs,bound,mac,mac_residue,private,tiny_columns,import,room,metrics,workroom,fork,$(CT_P256)
CT_EMULATED := KFT_EMULATED=1 timeout 300

.PHONY: qemu
qemu: ## the ARMv8 path, and x86-64 CPUs with AES-NI and without, under emulation
	$(call ct_needs,$(CT_AARCH64),gcc-aarch64-linux-gnu libc6-dev-arm64-cross)
	$(call ct_needs,qemu-aarch64,qemu-user)
	@$(MAKE) --no-print-directory $(patsubst %,$(CT_BUILD)/%/run,arm arm-flow arm-flow-leak x86)
	$(CT_EMULATED) qemu-aarch64 $(CT_BUILD)/arm/run --impl armv8
	$(CT_EMULATED) qemu-aarch64 $(CT_BUILD)/arm/run --impl portable --only $(CT_SOON)
	$(CT_EMULATED) qemu-aarch64 $(CT_BUILD)/arm/run --only $(CT_LIBRARY) --expect armv8
	KMSFAST_CPU_MASK=arm_aes $(CT_EMULATED) qemu-aarch64 $(CT_BUILD)/arm/run --only $(CT_LIBRARY) --expect portable
	tests/c/ctime/flow-check same qemu-aarch64 $(CT_BUILD)/arm-flow/run armv8
	tests/c/ctime/flow-check same qemu-aarch64 $(CT_BUILD)/arm-flow/run portable
	tests/c/ctime/flow-check differs qemu-aarch64 $(CT_BUILD)/arm-flow-leak/run armv8
	$(CT_EMULATED) qemu-x86_64 -cpu Nehalem $(CT_BUILD)/x86/run --only $(CT_SOON),$(CT_LIBRARY) --expect portable
	$(CT_EMULATED) qemu-x86_64 -cpu Haswell,-pcid,-x2apic,-tsc-deadline,-hle,-invpcid,-rtm $(CT_BUILD)/x86/run --only $(CT_SOON),$(CT_LIBRARY) --expect aesni

# ---- warnings ------------------------------------------------------------------------------------

# $(call ct_warnings,COMPILER,LEVEL): every file of the core, the Python lists included.
ct_warnings = for file in $(CT_CORE) csrc/kf_pylist.c; do \
	$(1) $(call ct_flags,$(1)) $(2) -Werror $(CT_PYTHON_FLAGS) -c $$file -o /dev/null || exit 1; done
CT_PYTHON ?= $(or $(wildcard .venv/bin/python),python3)
CT_PYTHON_FLAGS = -DKF_PYTHON -DPy_LIMITED_API=0x030B0000 \
	-isystem $(shell $(CT_PYTHON) -c 'import sysconfig; print(sysconfig.get_paths()["include"])')

.PHONY: c-warnings
c-warnings: ## the core compiles without a warning: gcc and clang, -O2 and -O3
	$(call ct_needs,$(CT_CLANG),clang-14)
	@$(call ct_warnings,$(CT_CC),-O2)
	@$(call ct_warnings,$(CT_CC),-O3)
	@$(call ct_warnings,$(CT_CLANG),-O2)
	@$(call ct_warnings,$(CT_CLANG),-O3)
	@echo "c-warnings: none from $(CT_CC) and $(CT_CLANG), -O2 and -O3"
