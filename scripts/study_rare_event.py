"""Estimate rare events with known probabilities: study_rare_event.py RP22 --runs 20."""

from problems.command import carry_out
from problems.rare_event.__main__ import main

if __name__ == "__main__":
    carry_out(main)
