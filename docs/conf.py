"""Configuration of the documentation site."""

import warnings
from importlib.metadata import version as installed_version
from pathlib import Path

HERE = Path(__file__).parent

# The changelog and the contributing guide are at the top level of the repository, where
# people look for them; the website shows copies of them.
for name in ("CHANGELOG.md", "CONTRIBUTING.md"):
    text = (HERE.parent / name).read_text(encoding="utf-8")
    text = text.replace("](CHANGELOG.md)", "](changelog.md)")
    (HERE / name.lower()).write_text(text, encoding="utf-8")

project = "sk_rmsprop"
author = "the sk_rmsprop developers"
copyright = f"2026, {author}"
release = version = installed_version("sk-rmsprop")

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

# References to other projects' documentation would need a network connection during the
# build; without them, they are rendered as plain names.
intersphinx_mapping = {}

# From first steps to special cases
GALLERY = [
    "quickstart",
    "decision_boundaries",
    "beta",
    "ravine",
    "deep_network",
    "schedules",
    "early_stopping",
    "grid_search",
    "halving_search",
    "imbalanced",
    "sparse_text",
    "streaming",
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
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
}

warnings.filterwarnings("ignore", message=".*non-interactive.*", category=UserWarning)
