"""Instances of public collections, for tests against best known values; skipped where the files are not here.

`CEMKIT_DATA` names a folder with one folder per collection, each with its files and a table
``best_known.csv`` of the columns ``instance`` and ``best_known`` (or ``optimum``):

gset/    G1.txt, …    https://web.stanford.edu/~yyye/yyye/Gset/
biqmac/  g05_60.0, …  https://biqmac.aau.at/biqmaclib.html
tsplib/  att48.tsp, … http://comopt.ifi.uni-heidelberg.de/software/TSPLIB95/
"""

import os
from pathlib import Path

import pytest

from problems.maxcut.readers import read_best_known


def instances(collection, *names):
    """Return (file, best known value) of the instances, all where no names are given, as parameters."""
    folder = Path(os.environ.get("CEMKIT_DATA", "no-such-folder")) / collection
    if not (folder / "best_known.csv").is_file():
        reason = f"needs CEMKIT_DATA/{collection}, see tests/problems/public.py"
        return [pytest.param(None, None, marks=pytest.mark.skip(reason=reason), id=collection)]
    best = read_best_known(folder / "best_known.csv")
    files = {file.name.removesuffix(".txt").removesuffix(".tsp"): file for file in folder.iterdir()}
    return [pytest.param(files[name], best[name], id=name) for name in names or best]
