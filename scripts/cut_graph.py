"""Cut graphs given as files: cut_graph.py G1.txt G22.txt --max-time 20 --bound."""

from problems.command import carry_out
from problems.maxcut.__main__ import main

if __name__ == "__main__":
    carry_out(main)
