"""
The largest cut of a planar graph, drawn
========================================

Two colours for the vertices such that as many edges as possible join different ones.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.spatial import Delaunay

import cem
from problems.maxcut import MaxCut

rng = np.random.default_rng(3)
place = rng.random((80, 2))
triangles = Delaunay(place).simplices
edges = np.unique(
    np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [0, 2]]]), axis=1),
    axis=0,
)
graph = MaxCut.from_edges(80, edges, np.ones(len(edges)))
result = cem.optimize(graph, rng=1)
print(f"{result.fun:.0f} of {len(edges)} edges are cut; {result.message}")

# %%
# Cut edges are drawn dark, the others light and dashed.

side = result.x
fig, ax = plt.subplots(figsize=(6, 6), layout="constrained")
for i, j in edges:
    cut = side[i] != side[j]
    ax.plot(*place[[i, j]].T, color="0.3" if cut else "0.8", ls="-" if cut else "--", lw=1, zorder=1)
ax.scatter(*place.T, c=np.where(side == 1, "#0072B2", "#D55E00"), s=40, zorder=2)
ax.set_title("A planar graph cut in two: cut edges dark, the others dashed")
ax.set_axis_off()
plt.show()
