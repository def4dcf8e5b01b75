"""One script a question; run one with `python -m benchmarks.bench_call`."""
