"""How fast the server is, and how much memory it takes, beside two rivals in one run.

`python -m benchmarks` (or `make bench`) measures; docs/explanation/performance.md says what the
rows mean. Nothing here is part of the product.
"""
