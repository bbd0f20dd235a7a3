"""What holds for every component, of whatever kind."""

from __future__ import annotations

import inspect
import json
from typing import Any

from pydantic import ValidationError

from genaudio.core.component import Component
from genaudio.core.registry import kind_base
from genaudio.plugins.testing.findings import Findings


def check_component(cls: type[Component], kind: str, **parameters: Any) -> None:
    """Check a component class: base class, descriptions, frozen and strict, and that a resolved recipe gives it back.

    `parameters` are given to the constructor; a class with required fields needs them.
    """
    findings = Findings(f"{kind} {cls.__name__}")
    base = kind_base(kind)
    findings.expect(issubclass(cls, base), f"it is no subclass of {base.__module__}.{base.__qualname__}")
    findings.close()
    missing = ", ".join(sorted(getattr(cls, "__abstractmethods__", ())))
    findings.expect(not inspect.isabstract(cls), f"it leaves out {missing}")
    findings.expect(bool(vars(cls).get("__doc__")), "it has no docstring; `gen describe` shows it")
    for name, field in cls.model_fields.items():
        findings.expect(bool(field.description), f"the field {name} has no description: use genaudio.parameter")
        findings.expect(name != "type", "a field is called 'type', which recipes use for the component's name")
    config = cls.model_config
    findings.expect(bool(config.get("frozen")), "it is not frozen")
    findings.expect(config.get("extra") == "forbid", "it accepts unknown fields")
    findings.close()

    try:
        component = cls(**parameters)
    except ValidationError as error:
        findings.expect(False, f"it cannot be made with {parameters or 'its defaults'}: {error}")
        findings.close()
        raise
    try:
        plain = json.loads(json.dumps(component.model_dump(mode="json"), allow_nan=False))
        findings.expect(cls.model_validate(plain) == component, "a resolved recipe gives back another component")
    except (ValueError, TypeError) as error:
        findings.expect(False, f"it does not survive a resolved recipe (fields must be plain data): {error}")
    try:
        cls.model_json_schema()
    except Exception as error:
        findings.expect(False, f"it has no JSON Schema: {error}")
    try:
        cls.model_validate({**parameters, "no_such_field": 1})
        findings.expect(False, "it accepts the unknown field no_such_field")
    except ValidationError:
        pass
    findings.close()
