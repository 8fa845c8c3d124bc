"""Fill HTML templates: pages of one file that load nothing, with one style for light and dark."""

from __future__ import annotations

from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined


def render_page(package: str, template: str, **values: Any) -> str:
    """Return a page. Values are escaped; a template may extend `document.html`.

    Bytes of file names that are not UTF-8 become replacement characters.

    Args:
        package: whose folder `templates` has the template, such as `cnnkit.report`.
        template: the name of its file.
        values: what the template shows.

    Raises:
        ValueError: a number for a script is not finite, which JSON cannot say.
    """
    return printable(_environment(package).get_template(template).render(values))


def printable(text: str) -> str:
    """Return a path as valid UTF-8 text, with a replacement character for other bytes."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _environment(package: str) -> Environment:
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("cnnkit.pages")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # NaN is not JSON: better an error here than a page whose script reads nothing.
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False, "ensure_ascii": False}
    return environment
