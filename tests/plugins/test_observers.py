"""Observers: each is told, one that fails is reported once and disturbs nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from genaudio.plugins import manager
from genaudio.plugins.manager import discover, notify

Install = Callable[..., None]

OBSERVER = """
    import genaudio

    seen = []

    @genaudio.hookimpl
    def genaudio_step_end(step, metrics):
        seen.append((step, metrics["loss"]))

    @genaudio.hookimpl
    def genaudio_run_end(directory):
        seen.append(directory)
"""
FAILING = """
    import genaudio

    @genaudio.hookimpl
    def genaudio_step_end(step):
        raise {error}("no luck")
"""


@pytest.mark.parametrize("error", ["ValueError", "SystemExit"])
def test_a_failing_observer_is_reported_once_and_the_others_are_told(
    error: str,
    install: Install,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    install("a-watcher", "fake_first", OBSERVER)
    install("b-failing", "fake_failing", FAILING.format(error=error))
    install("c-watcher", "fake_last", OBSERVER)
    found = discover(None)
    monkeypatch.setattr(manager, "installed", lambda: found)
    for step in (1, 2):
        notify("genaudio_step_end", step=step, metrics={"loss": 0.5})
    notify("genaudio_stage_end", stage="train", directory=Path("run"))
    notify("genaudio_run_end", directory=Path("run"))
    expected = [(1, 0.5), (2, 0.5), Path("run")]
    assert sys.modules["fake_first"].seen == expected
    assert sys.modules["fake_last"].seen == expected
    assert len(caplog.records) == 1
    assert f"b-failing: fake_failing = fake_failing: its genaudio_step_end raised {error}: no luck" in caplog.text


def test_an_observer_may_interrupt_as_a_key_would(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("b-failing", "fake_failing", FAILING.format(error="KeyboardInterrupt"))
    found = discover(None)
    monkeypatch.setattr(manager, "installed", lambda: found)
    with pytest.raises(KeyboardInterrupt):
        notify("genaudio_step_end", step=1, metrics={})


def test_what_a_plugin_observes_is_listed(install: Install) -> None:
    install("a-watcher", "fake_first", OBSERVER)
    (plugin,) = [plugin for plugin in discover(None).plugins if plugin.distribution == "a-watcher"]
    assert plugin.observers == ("genaudio_run_end", "genaudio_step_end")
    assert plugin.components == ()
