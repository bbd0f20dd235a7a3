"""Discovery of plugins: each is loaded alone into a staging registry, then committed or rolled back.

A plugin that fails, in whatever way, is recorded and reported; it never stops `gen`, a run, or another plugin.
`GENAUDIO_PLUGINS` switches third parties: empty for none, a comma list for these distributions only, unset for all.
"""

from __future__ import annotations

import contextlib
import copy
import logging
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version
from typing import Any

import pluggy

from genaudio.core.errors import PluginError
from genaudio.core.missing_plugin import MissingPlugin
from genaudio.core.registry import Registry
from genaudio.plugins import builtin, hookspecs
from genaudio.plugins.hookspecs import ENTRY_POINT_GROUP, PROJECT

VARIABLE = "GENAUDIO_PLUGINS"
_log = logging.getLogger("genaudio")


@dataclass(frozen=True)
class Plugin:
    """One entry point: who provides it, what it added, and why it failed if it did."""

    distribution: str
    version: str
    entry_point: str
    components: tuple[tuple[str, str], ...] = ()  # (kind, name)
    observers: tuple[str, ...] = ()
    error: str = ""
    traceback: str = ""


@dataclass
class Installed:
    """All plugins of this process and what they provide together."""

    registry: Registry
    plugins: list[Plugin] = field(default_factory=list)
    hooks: pluggy.PluginManager = field(default_factory=lambda: _hooks())
    reported: set[tuple[str, str]] = field(default_factory=set)


def _hooks() -> pluggy.PluginManager:
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    return manager


@cache
def installed() -> Installed:
    """What is installed, found and loaded once a process."""
    return discover(os.environ.get(VARIABLE))


def registry() -> Registry:
    """The registry of this process: the built-ins and whatever installed plugins provide."""
    return installed().registry


def discover(selection: str | None) -> Installed:
    """Load the built-ins and the selected third parties; `selection` is the value of `GENAUDIO_PLUGINS`."""
    found = Installed(Registry())
    _load(found, PROJECT, _version(PROJECT), builtin.__name__, lambda: builtin)
    wanted = None if selection is None else {_canonical(name) for name in selection.split(",") if name.strip()}
    points = [] if wanted == set() else _entry_points(found)
    for point, distribution, number in points:
        where = f"{point.name} = {point.value}"
        if wanted is not None and _canonical(distribution) not in wanted:
            off = f"is switched off by {VARIABLE}"
            found.registry.missing.append(MissingPlugin(distribution, off, (where,)))
            continue
        _load(found, distribution, number, where, point.load)
    present = {_canonical(distribution) for _, distribution, _ in points}
    for name in sorted((wanted or set()) - present):
        error = (
            f"{VARIABLE} names it, but no installed distribution of this name has an entry point {ENTRY_POINT_GROUP}"
        )
        found.plugins.append(Plugin(name, "", "not installed", error=error))
    if wanted == set():
        off = f"is switched off by {VARIABLE}"
        found.registry.missing.append(MissingPlugin("every third-party plugin", off, everyone=True))
    return found


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:  # run from a source tree that was never installed
        return ""


def _canonical(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution.strip()).lower()


def _entry_points(found: Installed) -> list[tuple[EntryPoint, str, str]]:
    """Entry points with their distribution and version, sorted, so that nothing depends on the order of folders."""
    result: list[tuple[EntryPoint, str, str]] = []
    try:
        for point in entry_points(group=ENTRY_POINT_GROUP):
            dist = point.dist
            name = (dist.name if dist is not None else None) or "unknown"
            result.append((point, name, (dist.version if dist is not None else None) or ""))
    except Exception as error:  # damaged metadata of whatever package
        summary = f"reading the metadata of installed packages failed: {type(error).__name__}: {error}"
        found.plugins.append(Plugin("unknown", "", ENTRY_POINT_GROUP, error=summary, traceback=traceback.format_exc()))
    return sorted(result, key=lambda row: (_canonical(row[1]), row[0].name))


def _load(found: Installed, distribution: str, number: str, where: str, load: Callable[[], Any]) -> None:
    """Load one plugin and commit what it registers, all or nothing."""
    staged = Registry(distribution, number)
    try:
        with _stdout_to_stderr():
            module = load()
            trial = _hooks()  # on its own, so that a broken plugin never touches the hooks of the others
            trial.register(module)
            _check_hooks(trial, module)
            trial.hook.genaudio_register(registry=staged)
        merged = copy.copy(found.registry)
        merged.merge(staged)
        found.hooks.register(module, name=f"{distribution}: {where}")
    except BaseException as error:  # SystemExit and the like from a plugin's import must not end gen
        if isinstance(error, KeyboardInterrupt):
            raise
        reason = str(error) if isinstance(error, PluginError) else f"{type(error).__name__}: {error}"
        found.plugins.append(Plugin(distribution, number, where, error=reason, traceback=traceback.format_exc()))
        prefixes = dict.fromkeys(entry.name.partition("/")[0] for entry in staged.entries())
        why = f"could not be loaded ({reason.splitlines()[0]})"
        found.registry.missing.append(MissingPlugin(distribution, why, (where, *prefixes)))
        return
    found.registry = merged
    hooks = trial.get_hookcallers(module) or []
    observers = tuple(sorted(hook.name for hook in hooks if hook.name != "genaudio_register"))
    components = tuple((entry.kind, entry.name) for entry in staged.entries())
    found.plugins.append(Plugin(distribution, number, where, components, observers))


def _check_hooks(trial: pluggy.PluginManager, module: Any) -> None:
    """Hooks that would silently do nothing are errors: a misspelt name, a missing marker, no hook at all, a wrapper."""
    known = ", ".join(name for name in vars(hookspecs) if name.startswith("genaudio_"))
    trial.check_pending()
    implemented = {hook.name for hook in trial.get_hookcallers(module) or []}
    for name, value in list(vars(module).items()) if hasattr(module, "__dict__") else []:
        if name.startswith("genaudio_") and callable(value) and name not in implemented:
            raise PluginError(
                f"the function {name} is not a hook", expected=known, mend="mark it with @genaudio.hookimpl"
            )
    if not implemented:
        raise PluginError(
            f"{getattr(module, '__name__', module)} implements no hook",
            expected=f"one of {known}, marked with @genaudio.hookimpl",
            mend="let the entry point name the module that holds the hooks",
        )
    for hook in trial.get_hookcallers(module) or []:
        if any(implementation.wrapper or implementation.hookwrapper for implementation in hook.get_hookimpls()):
            raise PluginError(f"{hook.name} is a hook wrapper", expected="a plain function, marked with @hookimpl")


@contextlib.contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    """What a plugin prints on import must not end up in the output of `gen list --json`."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


def notify(hook_name: str, **arguments: Any) -> None:
    """Tell every observer; one that raises is reported once and disturbs neither the run nor the others."""
    found = installed()
    for implementation in reversed(getattr(found.hooks.hook, hook_name).get_hookimpls()):
        try:
            implementation.function(*(arguments[name] for name in implementation.argnames))
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            key = (implementation.plugin_name, hook_name)
            if key not in found.reported:
                found.reported.add(key)
                _log.warning(
                    "plugin %s: its %s raised %s: %s; the run goes on, further failures of it are not reported",
                    *key,
                    type(error).__name__,
                    error,
                )
