"""What the pages share: templates, their styles and scripts, and values as text."""

from __future__ import annotations

import base64
import hashlib
import math
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup


def render(template: str, *, styles: tuple[str, ...], script: str, **values: Any) -> str:
    """A template of `templates/` with its styles and its script inside; everything in `values` is escaped.

    The template is given `style`, `script` and `script_hash`, the hash that its content security policy allows.
    """
    # `select_autoescape` goes by file name and would leave `.html.j2` alone; here everything is escaped.
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["value"] = value_text
    code = _asset(script)
    return environment.from_string(_asset(template)).render(
        style=Markup("".join(map(_asset, styles))),
        script=Markup(code),
        script_hash=Markup(f"sha256-{encoded(hashlib.sha256(code.encode()).digest())}"),
        **values,
    )


def value_text(value: object) -> str:
    """A fact as text: four significant digits for floats, lists with commas, a dash for None."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(value_text(item) for item in value)
    return "–" if value is None else str(value)


def decibel_text(value: float) -> str:
    """A level in dB with one decimal and a proper minus sign."""
    if math.isnan(value):
        return "?"
    return "−∞" if math.isinf(value) else f"{round(value, 1) + 0.0:.1f}".replace("-", "−")  # + 0.0: no "−0.0"


def encoded(content: bytes) -> str:
    """Base64 text, as data URLs hold it."""
    return base64.b64encode(content).decode("ascii")


def _asset(name: str) -> str:
    return (resources.files("genaudio.reports") / "templates" / name).read_text(encoding="utf-8")
