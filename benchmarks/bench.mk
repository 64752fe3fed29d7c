# `make bench`: kmsfast beside its peers. benchmarks/README.md says what is timed and how.
#
# The C rows are timed inside build/bench/libkmsbench.so: the project's kernels, OpenSSL's EVP and
# Intel ipsec-mb behind one interface (benchmarks/c/bench.h), called from pytest-benchmark.
BENCH_LIB := build/bench/libkmsbench.so
BENCH_SOCKET := build/bench/socket/floor build/bench/socket/load
BENCH_MOTO := build/bench/moto/.installed
BENCH_SOURCES := $(wildcard benchmarks/c/*.c) $(filter-out csrc/kf_pylist.c,$(wildcard csrc/*.c))
BENCH_HEADERS := $(wildcard benchmarks/c/*.h) $(wildcard csrc/*.h)
BENCH_CFLAGS := $(shell cat csrc/cflags.txt) -fPIC -shared -pthread -Icsrc -Ibenchmarks/c

.PHONY: bench bench-curves bench-scale bench-keep charts performance figures bench-history bench-lib bench-socket

bench: install $(VENV)/.peers $(BENCH_MOTO) $(CLIENTS_STAMP) $(BENCH_LIB) $(BENCH_SOCKET) ## speed beside OpenSSL, AWS-LC, ipsec-mb, cryptography and tink; build/bench.json
	$(BIN)/python benchmarks/run.py $(BENCH_ARGS)

bench-curves: install $(VENV)/.peers $(BENCH_MOTO) $(BENCH_LIB) $(BENCH_SOCKET) ## figures by size and threads, and latencies, for the charts; build/curves.json
	$(BIN)/python benchmarks/curves.py $(CURVES_ARGS)

bench-scale: install ## how costs grow, to 10 million records and events; build/scale.json
	$(BIN)/python benchmarks/scale.py $(SCALE_ARGS)

bench-keep: install ## puts what was measured last where docs/performance.md and its charts come from
	$(BIN)/python benchmarks/keep.py

charts: install ## docs/charts from the kept results
	$(BIN)/python benchmarks/charts.py

performance: install ## the figures in docs/performance.md from the kept results
	$(BIN)/python benchmarks/performance.py

# What fails leaves a gap, and says so; the rest is still of use.
figures: ## measures everything, keeps it, and makes charts and figures of it: 20 minutes
	-$(MAKE) bench
	-$(MAKE) bench-curves
	-$(MAKE) bench-scale
	$(MAKE) bench-keep
	$(MAKE) charts performance

bench-history: install ## how ratios went: make bench-history FILES='a.json b.json'
	$(BIN)/python benchmarks/history.py $(FILES)

bench-lib: $(BENCH_LIB)

bench-socket: install $(BENCH_MOTO) $(CLIENTS_STAMP) $(BENCH_SOCKET) ## the rows of the socket alone
	$(BIN)/python benchmarks/run.py --no-native -k bench_socket $(BENCH_ARGS)

build/bench/socket/%: benchmarks/c/socket/%.c benchmarks/c/socket/wire.h
	mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -Wall -Wextra -Werror -o $@ $<

$(VENV)/.peers: $(STAMP) benchmarks/bench.mk
	for peer in tink awscrt cedarpy aws-encryption-sdk; do $(BIN)/python -m pip install --quiet $$peer \
		|| echo "$$peer cannot be had here: its rows say so" >&2; done
	touch $@

# An environment of its own: moto asks for versions of what kmsfast uses as well.
$(BENCH_MOTO): $(STAMP)
	$(BIN)/python tools/make_venv.py $(@D)
	$(@D)/bin/python -m pip install --quiet 'moto[server,kms]' || echo "moto cannot be had here: its rows say so" >&2
	touch $@

$(BENCH_LIB): $(BENCH_SOURCES) $(BENCH_HEADERS) csrc/cflags.txt benchmarks/bench.mk
	tools/debian-packages libssl-dev libipsec-mb-dev
	mkdir -p $(@D)
	$(CC) $(BENCH_CFLAGS) -o $@ $(BENCH_SOURCES) $$(benchmarks/peer-flags $(CC))
