# The gates of the speed (benchmarks/README.md, "The gates"). Both write build/bench-*.json.
.PHONY: instructions instructions-update bench-compare

instructions: ## instructions of hot functions against their budgets; BASE=COMMIT: against that commit as well
	@command -v valgrind >/dev/null || tools/debian-packages valgrind
	$(PYTHON) benchmarks/instructions.py --base "$(BASE)"

instructions-update: ## makes the counts of now the budgets (benchmarks/instructions.toml)
	@command -v valgrind >/dev/null || tools/debian-packages valgrind
	$(PYTHON) benchmarks/instructions.py --update

bench-compare: install ## this commit beside BASE=COMMIT, both built and timed in turns; COMPARE_ARGS=--quick
	@command -v valgrind >/dev/null || tools/debian-packages valgrind
	$(BIN)/python benchmarks/compare.py --base "$(BASE)" $(COMPARE_ARGS)
