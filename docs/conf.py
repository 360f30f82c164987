"""Configuration of the documentation site."""

import warnings
from importlib.metadata import version as installed_version
from pathlib import Path

HERE = Path(__file__).parent

# The changelog and the guide for contributors stand at the top of the repository,
# where people look for them; the site shows the same files.
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
# ref.ref: docstrings inherited from scikit-learn refer to its own pages.
suppress_warnings = ["config.cache", "ref.ref"]

myst_enable_extensions = ["dollarmath", "amsmath", "deflist"]
myst_heading_anchors = 3
numpydoc_show_class_members = False
autosummary_generate = True
# The types are in the docstrings, in words.
autodoc_typehints = "none"

# Links into other projects' documentation need a connection; without one they are
# plain names.
intersphinx_mapping = {}

# From the first steps to the special cases
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
    """Sorts the examples as they stand in `GALLERY`."""

    def __init__(self, folder):
        pass

    def __call__(self, filename):
        """Return the place of an example."""
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
# Only the gallery and the reference have pages to list at the left; the examples need
# the room for their code.
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
