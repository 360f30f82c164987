"""Configuration of the documentation site."""

import warnings
from pathlib import Path

from sphinx.util import logging

from sk_rmsprop import __version__

HERE = Path(__file__).parent

project = "sk_rmsprop"
author = "the sk_rmsprop developers"
copyright = f"2026, {author}"
release = version = __version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build"]
nitpicky = False
# ref.ref: docstrings inherited from scikit-learn have references to its own pages.
suppress_warnings = ["config.cache", "ref.ref"]

myst_enable_extensions = ["dollarmath", "amsmath", "deflist"]
myst_heading_anchors = 3
numpydoc_show_class_members = False
autosummary_generate = True
# The docstrings describe the types.
autodoc_typehints = "none"

intersphinx_mapping = {
    "matplotlib": ("https://matplotlib.org/stable", None),
    "numpy": ("https://numpy.org/doc/stable", None),
    "scipy": ("https://docs.scipy.org/doc/scipy", None),
    "sklearn": ("https://scikit-learn.org/stable", None),
}
intersphinx_timeout = 5


def is_not_about_connections(record):
    """Tell whether a log record is anything but an inventory that cannot be fetched.

    Without a connection, links to other projects become plain names. The warning has no
    type that `suppress_warnings` could name.
    """
    return "failed to reach any of the inventories" not in record.getMessage()


logging.getLogger("sphinx.ext.intersphinx").logger.addFilter(is_not_about_connections)

# From first steps to special cases
GALLERY = [
    "quickstart",
    "data_frame",
    "decision_boundaries",
    "beta",
    "ravine",
    "deep_network",
    "schedules",
    "early_stopping",
    "grid_search",
    "halving_search",
    "imbalanced",
    "calibration",
    "quantile_bands",
    "sparse_text",
    "streaming",
    "streaming_text",
]


class GalleryOrder:
    """Sort the examples in the order of `GALLERY`."""

    def __init__(self, folder):
        pass

    def __call__(self, filename):
        """Return the position of an example."""
        return GALLERY.index(filename.removeprefix("plot_").removesuffix(".py"))


sphinx_gallery_conf = {
    "within_subsection_order": GalleryOrder,
    "examples_dirs": str(HERE.parent / "examples"),
    "gallery_dirs": "auto_examples",
    "filename_pattern": "/plot_",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_memory": False,
    "write_computation_times": False,
    "min_reported_time": 1,
}

toc_object_entries_show_parents = "hide"

html_theme = "pydata_sphinx_theme"
html_title = "sk_rmsprop"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_show_sourcelink = False
# Only the gallery and the API reference have subpages to list in the left sidebar; the
# examples need the space for their code.
html_sidebars = {page.stem: [] for page in HERE.glob("*.md") if page.stem != "api"}
html_sidebars["auto_examples/plot_*"] = []
html_theme_options = {
    "navbar_align": "left",
    "show_toc_level": 2,
    "header_links_before_dropdown": 7,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
}

warnings.filterwarnings("ignore", message=".*non-interactive.*", category=UserWarning)
