"""The templates of pages: escaped, and strict about what is missing; the style that they share."""

from pathlib import Path

import jinja2
from markupsafe import Markup

HERE = Path(__file__).parent


def template(name: str, **filters: object) -> jinja2.Template:
    """A template beside this file, with `filters` of its own."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(filters)
    return environment.get_template(name)


def style() -> Markup:
    """The style sheet, to stand in the page itself."""
    return Markup((HERE / "style.css").read_text(encoding="utf-8"))
