"""How the pages are built: ``make docs``."""

import logging
import sys
from pathlib import Path

import cem

logging.getLogger("cem").setLevel(logging.WARNING)  # the builder logs everything

sys.path.insert(0, str(Path(__file__).parent))

project = "cemkit"
author = "The cemkit developers"
copyright = "2026, the cemkit developers"
release = version = cem.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "mathml",
    "sphinx.ext.napoleon",
    "sphinx_gallery.gen_gallery",
]
myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build", "gallery/README.rst"]
suppress_warnings = [
    "myst.xref_missing",
    "ref.python",
]  # links to files of the repository; names like `family`
html_math_renderer = "mathml"
html_theme = "furo"
html_title = f"cemkit {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]

autodoc_mock_imports = ["optuna"]
autodoc_member_order = "bysource"
napoleon_use_ivar = True
autodoc_typehints = "none"
napoleon_google_docstring = False
napoleon_use_rtype = False

sphinx_gallery_conf = {
    "examples_dirs": str(Path(__file__).parent / "gallery"),
    "gallery_dirs": "auto_gallery",
    "filename_pattern": r"/show_",
    "abort_on_example_error": True,
    "remove_config_comments": True,
    "download_all_examples": False,
    "show_memory": False,
    "write_computation_times": False,
}
