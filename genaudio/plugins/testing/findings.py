"""What a check found, gathered and raised together."""

from __future__ import annotations


class ConformanceError(AssertionError):
    """A component that does not keep what its kind promises; the message lists every finding."""


class Findings:
    """The findings of one check of `subject`."""

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self.texts: list[str] = []

    def expect(self, holds: bool, finding: str) -> None:
        """Note `finding` unless it holds."""
        if not holds:
            self.texts.append(finding)

    def close(self) -> None:
        """Raise what was found, if anything."""
        if self.texts:
            raise ConformanceError("\n  - ".join([f"{self.subject} does not conform:", *self.texts]))
