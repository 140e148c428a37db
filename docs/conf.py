from __future__ import annotations

import sys

from pathlib import Path
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from sphinx.application import Sphinx

try:
    import camsync  # noqa: F401 - the documented package must be importable; prefer the installed one
except ModuleNotFoundError:
    sys.path.insert(0, str(Path(__file__).parent.parent / "src"))

project = "camsync"
author = "camsync contributors"
copyright = "2026, camsync contributors"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
root_doc = "index"

html_theme = "furo"
html_title = "camsync"

myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 3

# Single backticks in docstrings are code; the roles are for the few places that need a link.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

nitpicky = True
# The build works without a network, so the standard library's names have no targets.
nitpick_ignore_regex = [
    (r"py:.*", r"(collections|contextlib|datetime|dt|enum|os|pathlib|sqlite3|typing)(\..*)?"),
    (r"py:.*", r"AbstractContextManager|Executor"),
    # What a key may be given as: text, a Secret, or something that is called for one.
    (r"py:class", r"KeySource"),
    # What else an argument may be: its own lines of the docstring say it.
    (r"py:class", r"CatalogueLike|Gaps|Held|Holder|OnEvent|Providers|Scrubber|Wanted"),
    # Private classes that signatures of public methods mention.
    (r"py:class", r"camsync\.(.+\.)?_\w+(\.\w+)?"),
    # NewTypes are documented under the name that users import.
    (r"py:class", r"camsync\.models\.(Channel|Device)Id"),
]


class _PlainProperties:
    """Keeps napoleon from taking "The stable text form: …" of a property for its type."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def save(
        self, _app: Sphinx, _what: str, _name: str, _object: Any, _options: Any, lines: list[str]
    ) -> None:
        """Remember the docstring as it was written."""
        self._lines = list(lines)

    def restore(
        self, _app: Sphinx, what: str, _name: str, _object: Any, _options: Any, lines: list[str]
    ) -> None:
        """Put it back where napoleon reads too much into it."""
        if what in {"attribute", "property"}:
            lines[:] = self._lines


def setup(app: Sphinx) -> None:
    """Register the hooks around napoleon's, whose priority is 500."""
    plain = _PlainProperties()
    app.connect("autodoc-process-docstring", plain.save, priority=400)
    app.connect("autodoc-process-docstring", plain.restore, priority=600)
