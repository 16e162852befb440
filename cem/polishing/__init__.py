"""Local searches, each a stage: a generator that asks for rows to be scored."""
