"""Plans: which stage comes next, and when a run may call itself converged."""
