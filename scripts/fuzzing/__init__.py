"""What `scripts/fuzz.py` tries, a module for each kind of thing."""
