"""TEMPORARY until piece f is merged."""

from __future__ import annotations

import torch

from genaudio.audit import auditing
from genaudio.audit.result import AuditResult
from genaudio.core.audit_settings import AuditSettings
from genaudio.core.progress import Progress


class Auditor:
    """The training clips, ready to be searched, and calibrated thresholds."""

    def __init__(self, training, *, held_out=None, settings=None, embedding=None, device="cpu", progress=None):
        self._a = auditing._Auditor(
            training.clips, settings or AuditSettings(), embedding, torch.device(device), progress or Progress()
        )
        self._judge, self._facts = self._a.calibrated(None if held_out is None else held_out.clips)

    def audit(self, generated, *, progress=None):
        clips = tuple(self._a.audited(generated.clips, self._judge))
        return AuditResult(clips, {**auditing._counts(clips), **self._facts, **self._a.facts()})
