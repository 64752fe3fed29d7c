"""Gates of the speed: `make instructions` counts, `make bench-compare` times.

Both use the cases of benchmarks/c/cases; benchmarks/README.md says how.
"""
