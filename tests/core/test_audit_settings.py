from __future__ import annotations

import pytest
from pydantic import ValidationError

from genaudio.core.audit_settings import AuditSettings


def test_settings_that_cannot_work_are_refused() -> None:
    with pytest.raises(ValidationError, match="must not exceed tail"):
        AuditSettings(false_alarm_rate=0.3)
    with pytest.raises(ValidationError, match="a group in parentheses"):
        AuditSettings(group_pattern="abc")
    with pytest.raises(ValidationError, match="a regular expression: missing"):
        AuditSettings(group_pattern="(")
