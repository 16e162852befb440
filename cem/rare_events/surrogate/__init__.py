"""Few evaluations: a Gaussian process guides, true evaluations correct it without bias."""
