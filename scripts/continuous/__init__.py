"""What `benchmark_continuous.py` is made of."""
