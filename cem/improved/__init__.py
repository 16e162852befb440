"""The improved cross-entropy method: learn by ranks from pooled batches, measure with a frozen mixture."""
