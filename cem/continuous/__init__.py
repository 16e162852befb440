"""The plan for continuous variables, and its parts."""
