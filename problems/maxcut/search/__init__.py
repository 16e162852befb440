"""Local search for max-cut: two engines for annealing and reheats, and how a batch is improved."""
