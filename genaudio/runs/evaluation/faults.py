"""Faults of components, told by name: what a plugin's metric or embedding raises must not look like one of genaudio."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from genaudio.core.component import Component
from genaudio.core.errors import GenaudioError, PluginError
from genaudio.plugins.manager import registry


@contextmanager
def named(kind: str, component: Component) -> Iterator[None]:
    """What is raised within, and is no error that a user can mend, becomes a `PluginError` that says whose fault it is.

    Errors of the system, as of a file that is not there, stay what they are.
    """
    try:
        yield
    except (GenaudioError, OSError):
        raise
    except Exception as error:
        entry = registry().entry(kind, registry().name_of(kind, component))
        said = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise PluginError(
            f"the {kind} {entry.name} of {entry.distribution} raised {said}",
            expected="a result, or a GenaudioError that says what is wrong",
            mend=f"report this to the authors of {entry.distribution}; gen --debug shows where it is",
        ) from error
