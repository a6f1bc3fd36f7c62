"""Sphinx settings; `make docs` builds, offline, with every warning an error."""

import sys
from pathlib import Path

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml

sys.path.insert(0, str(Path(__file__).parent))
import folders

from ordered_mix import __version__

project = "ordered_mix"
author = "The ordered_mix developers"
copyright = f"{author}, Apache-2.0"
version = release = __version__

folders.write()

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "auto/**/*.ipynb", "tutorial", "extra"]
html_theme = "furo"
html_title = f"ordered_mix {version}"
html_extra_path = ["extra"]
html_show_sphinx = False

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings give types with their shapes
numpydoc_show_class_members = False  # autodoc shows them

nitpicky = True
default_role = "py:obj"
# Docstrings put arguments, options and other libraries' names in single backticks; what is
# documented here becomes a link, the rest stays code. References by any other role must resolve.
nitpick_ignore_regex = [("py:obj", ".*")]

sphinx_gallery_conf = {
    "examples_dirs": ["tutorial", "../examples"],
    "gallery_dirs": ["auto/tutorial", "auto/examples"],
    "filename_pattern": r"\.py$",
    "within_subsection_order": "gallery.order",
    "image_scrapers": ("matplotlib", "gallery.figures"),
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_signature": False,
    "min_reported_time": 1e6,
    "write_computation_times": False,
    "capture_repr": ("_repr_html_", "__str__"),
    "remove_config_comments": True,
}


def write_math(page, node):
    """Write a formula as MathML, which browsers draw without a script; a wide one scrolls."""
    block = isinstance(node, nodes.math_block)
    formula = tex2mathml(node.astext(), as_block=block)
    page.body.append(f'<div style="overflow-x: auto">{formula}</div>' if block else formula)
    raise nodes.SkipNode


def setup(app):
    """Formulas without a script from elsewhere."""
    app.add_html_math_renderer("mathml", (write_math, None), (write_math, None))
