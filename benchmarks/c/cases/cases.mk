# The program of the cases, OUT/cases, from these sources and the core in CORE, which may be that of another commit.
# OUT/halved is the same with the kernels for VAES as valgrind can run them: each 256-bit AES instruction as two.
#   make -f benchmarks/c/cases/cases.mk CORE=csrc OUT=build/cases
CORE ?= csrc
OUT ?= build/cases
CC ?= cc
HERE := $(dir $(lastword $(MAKEFILE_LIST)))
# kf_pylist.c needs the interpreter.
SOURCES := $(filter-out %/kf_pylist.c,$(wildcard $(CORE)/kf_*.c)) $(wildcard $(HERE)*.c)
HEADERS := $(wildcard $(CORE)/*.h $(HERE)*.h)
GCC_ONLY := -fno-tree-ter -fno-schedule-insns2
IS_CLANG := $(shell $(CC) --version | grep -c clang)
FLAGS := $(shell cat $(CORE)/cflags.txt) -pthread -I$(CORE) -I$(HERE)
OBJECTS := $(addprefix $(OUT)/,$(notdir $(SOURCES:.c=.o)))
vpath %.c $(CORE) $(HERE)

COMPILE = $(CC) $(if $(filter-out 0,$(IS_CLANG)),$(filter-out $(GCC_ONLY),$(FLAGS)),$(FLAGS))
LINK = $(CC) -o $@ $^ -pthread -Wl,--wrap=getrandom,--wrap=kf_cpu
HALVE := $(HERE)../../../tests/c/ctime/halve

.PHONY: all
all: $(OUT)/cases $(OUT)/halved

$(OUT)/cases: $(OBJECTS)
	$(LINK)

$(OUT)/halved: $(filter-out %_vaes.o,$(OBJECTS)) $(patsubst %_vaes.o,%_vaes.halved.o,$(filter %_vaes.o,$(OBJECTS)))
	$(LINK)

$(OUT)/%.o: %.c $(HEADERS) $(CORE)/cflags.txt
	@mkdir -p $(@D)
	$(COMPILE) -c $< -o $@

$(OUT)/%.halved.o: %.c $(HEADERS) $(CORE)/cflags.txt $(HALVE)
	@mkdir -p $(@D)
	$(COMPILE) -S $< -o $(@:.o=.whole.s)
	$(HALVE) $(@:.o=.whole.s) $(@:.o=.s)
	$(CC) -c $(@:.o=.s) -o $@
