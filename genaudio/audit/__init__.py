"""The copy audit: which generated clips are copies of training clips, of which, and where in time."""

from genaudio.audit.auditing import Auditor, audit
from genaudio.audit.result import AuditedClip, AuditResult, Match, Span
from genaudio.core.audit_settings import AuditSettings

__all__ = ["AuditResult", "AuditSettings", "AuditedClip", "Auditor", "Match", "Span", "audit"]
