"""The typed registry: which components there are of each kind, where each lives, and who provides it."""

from __future__ import annotations

import difflib
import importlib
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from genaudio.core.component import Component
from genaudio.core.errors import PluginError, UnknownComponentError
from genaudio.core.missing_plugin import MissingPlugin, mend_for


@dataclass(frozen=True)
class Kind:
    """A kind of component and the base class ("module:Class") that every component of it must extend."""

    name: str
    base: str
    summary: str


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("dataset", "genaudio.datasets.base:Dataset", "Where the training clips come from"),
        Kind("representation", "genaudio.representations.base:Representation", "What the model sees of a waveform"),
        Kind("network", "genaudio.networks.base:Network", "The neural network inside the denoiser"),
        Kind("conditioner", "genaudio.networks.conditioners.base:Conditioner", "What a label becomes for the network"),
        Kind("preconditioner", "genaudio.preconditioners.base:Preconditioner", "Turns a network into D(x; sigma)"),
        Kind("noise", "genaudio.training.noise.base:NoiseDistribution", "Distribution of training noise levels"),
        Kind("schedule", "genaudio.samplers.schedules.base:Schedule", "The noise levels that a solver visits"),
        Kind("solver", "genaudio.samplers.base:Solver", "Integrates from noise to a clip"),
        Kind("guidance", "genaudio.samplers.guidance.base:Guidance", "Steers the estimates that a solver follows"),
        Kind("embedding", "genaudio.evaluation.embeddings.base:Embedding", "Features of a clip for metrics and audit"),
        Kind("metric", "genaudio.evaluation.metrics.base:Metric", "Compares generated with reference features"),
    )
}

_NAME = re.compile(r"[a-z][a-z0-9_]*(/[a-z][a-z0-9_]*)?")


@dataclass(frozen=True)
class Entry:
    """One registered component; its class is imported when first asked for."""

    kind: str
    name: str
    target: str
    summary: str
    distribution: str = "genaudio"
    version: str = ""


def _import_target(target: str) -> Any:
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)


@cache
def kind_base(kind: str) -> type[Component]:
    """The base class of a kind."""
    base: type[Component] = _import_target(KINDS[kind].base)
    return base


class Registry:
    """Entries by kind and name. A name belongs to one distribution only."""

    def __init__(self, distribution: str = "genaudio", version: str = "") -> None:
        self.distribution = distribution
        self.version = version
        self._entries: dict[tuple[str, str], Entry] = {}
        self.missing: list[MissingPlugin] = []

    def add(self, kind: str, name: str, target: str, summary: str) -> None:
        """Register a component: `target` is "module:Class" and is not imported now.

        Built-in names are bare (`heun`); every other distribution's carry a prefix (`acme/heun`).
        """
        if kind not in KINDS:
            raise PluginError(
                f"component {name!r} is registered under the kind {kind!r}",
                expected=f"one of {', '.join(KINDS)}",
                mend=suggestion(kind, KINDS),
            )
        if not _NAME.fullmatch(name):
            raise PluginError(
                f"{kind} name {name!r}", expected="lower-case letters, digits and underscores, as `package/name`"
            )
        if self.distribution != "genaudio" and "/" not in name:
            raise PluginError(
                f"{kind} {name!r} of {self.distribution} has no prefix",
                expected="bare names are for built-ins only",
                mend=f"register it as '{re.sub(r'[^a-z0-9]+', '_', self.distribution.lower())}/{name}'",
            )
        if not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", target):
            raise PluginError(f"{kind} {name!r} has the target {target!r}", expected="'package.module:Class'")
        self._put(Entry(kind, name, target, summary, self.distribution, self.version))

    def _put(self, entry: Entry) -> None:
        other = self._entries.get((entry.kind, entry.name))
        if other is not None:
            raise PluginError(
                f"{entry.kind} {entry.name!r} is registered twice: by {other.distribution} and by {entry.distribution}",
                expected="one distribution a name",
                mend=f"uninstall one of them, or rename the component in {entry.distribution}",
            )
        self._entries[entry.kind, entry.name] = entry

    def merge(self, staged: Registry) -> None:
        """Take all entries of `staged`, or none of them if one collides."""
        merged = Registry()
        merged._entries = dict(self._entries)
        for entry in staged.entries():
            merged._put(entry)
        self._entries = merged._entries

    def entries(self, kind: str | None = None) -> list[Entry]:
        """All entries, or those of one kind, in order of registration."""
        return [entry for entry in self._entries.values() if kind is None or entry.kind == kind]

    def names(self, kind: str) -> list[str]:
        """The names of one kind, in order of registration."""
        return [entry.name for entry in self.entries(kind)]

    def entry(self, kind: str, name: str) -> Entry:
        """The entry of `name`; raises `UnknownComponentError` with the nearest name."""
        if kind not in KINDS:
            raise UnknownComponentError(
                f"kind {kind!r}", expected=f"one of {', '.join(KINDS)}", mend=suggestion(kind, KINDS)
            )
        try:
            return self._entries[kind, name]
        except KeyError:
            names = self.names(kind)
            raise UnknownComponentError(
                f"{kind} {name!r}",
                expected=f"one of {', '.join(names) or '(none installed)'}",
                mend=self._nearest(name, names),
            ) from None

    def _nearest(self, name: str, names: list[str]) -> str:
        """The nearest name; for a third party's, if it has none near, why its plugin may not be there."""
        prefix, slash, _ = name.partition("/")
        if not slash:  # built-in names are bare: no plugin provides those
            return suggestion(name, names)
        near = suggestion(name, [other for other in names if other.startswith(f"{prefix}/")])
        return near or mend_for(prefix, self.missing)

    def load(self, kind: str, name: str) -> type[Component]:
        """The class of a component, imported now and checked against the base class of its kind."""
        entry = self.entry(kind, name)
        try:
            cls = _import_target(entry.target)
        except (Exception, SystemExit) as error:
            raise PluginError(
                f"{kind} {name!r} of {entry.distribution}: importing {entry.target} failed: "
                f"{type(error).__name__}: {error}".partition("\n")[0],
                expected="an importable 'module:Class'",
                mend=f"reinstall {entry.distribution}, or report this to its authors; gen --debug shows where it is",
            ) from error
        fault, expected = _fault(cls, kind_base(kind))
        if fault:
            raise PluginError(
                f"{kind} {name!r} of {entry.distribution}: {entry.target} {fault}",
                expected=expected,
                mend=f"report this to the authors of {entry.distribution}",
            )
        return cast("type[Component]", cls)

    def describe(self, kind: str, block: Component | Sequence[Component] | None) -> Any:
        """A component, or a list of them, as a resolved recipe writes it: its type and every field, in plain data."""
        if block is None:
            return None
        if isinstance(block, Component):
            return {"type": self.name_of(kind, block), **block.model_dump(mode="json")}
        return [self.describe(kind, component) for component in block]

    def name_of(self, kind: str, component: Component) -> str:
        """The name under which a component's class is registered."""
        cls = type(component)
        target = f"{cls.__module__}:{cls.__qualname__}"
        for entry in self.entries(kind):
            if entry.target == target:
                return entry.name
        for entry in self.entries(kind):  # a class re-exported from elsewhere; if it exists, its module is imported
            module, _, attribute = entry.target.partition(":")
            if getattr(sys.modules.get(module), attribute, None) is cls:
                return entry.name
        raise UnknownComponentError(
            f"the class {target} is not registered as a {kind}",
            expected=f"a component with an entry: one of {', '.join(self.names(kind))}",
            mend="register it in a plugin, so that a recipe can name it",
        )


def _fault(cls: Any, base: type[Component]) -> tuple[str, str]:
    """What keeps a target from being a component of the kind that `base` is of, and what would be right; else empty."""
    if not (isinstance(cls, type) and issubclass(cls, base)):
        return f"is not a {base.__name__}", f"a subclass of {base.__module__}.{base.__qualname__}"
    missing = sorted(getattr(cls, "__abstractmethods__", ()))
    if missing:
        return f"leaves out {', '.join(missing)}", f"all that {base.__module__}.{base.__qualname__} asks for"
    if "type" in cls.model_fields:
        return "has a field called 'type'", "another name: in a recipe, type names the component"
    return "", ""


def suggestion(name: str, names: Iterable[str]) -> str:
    """ "did you mean …?" for the nearest of `names`, or an empty text."""
    near = difflib.get_close_matches(name, list(names), n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else ""
