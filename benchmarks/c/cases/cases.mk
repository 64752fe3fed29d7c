# The program of the cases, OUT/cases, from these sources and the core in CORE, which may be that of another commit.
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

$(OUT)/cases: $(OBJECTS)
	$(CC) -o $@ $^ -pthread -Wl,--wrap=getrandom,--wrap=kf_cpu

$(OUT)/%.o: %.c $(HEADERS) $(CORE)/cflags.txt
	@mkdir -p $(@D)
	$(CC) $(if $(filter-out 0,$(IS_CLANG)),$(filter-out $(GCC_ONLY),$(FLAGS)),$(FLAGS)) -c $< -o $@
