"""Which of the plugins that are not loaded an unknown component may be of."""

from __future__ import annotations

import pytest

from genaudio.core.missing_plugin import MissingPlugin, mend_for


@pytest.mark.parametrize(
    ("prefix", "distribution", "names", "may"),
    [
        ("acme", "acme", (), True),
        ("acme", "acme-solvers", (), True),
        ("acme", "genaudio-acme", (), True),
        ("acme_solvers", "genaudio-Acme.Solvers", (), True),
        ("acmee", "acme-solvers", (), True),
        ("acme", "solvers-of-mine", ("mine = acme_pkg.hooks:plugin",), True),
        ("acme", "solvers-of-mine", ("mine = mine", "acme"), True),
        ("acme", "macro", ("macro = macro",), False),
        ("genaudio_acme", "genaudio-other", (), False),
        ("acme_plugin", "broken-plugin", ("broken_plugin = broken_plugin",), False),
        ("x", "extras", (), False),
    ],
)
def test_a_plugin_may_provide_what_is_called_as_it_is(
    prefix: str, distribution: str, names: tuple[str, ...], may: bool
) -> None:
    assert MissingPlugin(distribution, "is broken", names).may_provide(prefix) is may


def test_the_mend_names_those_alone() -> None:
    missing = [MissingPlugin("acme", "is broken"), MissingPlugin("other", "is broken too")]
    named = "a plugin that may provide it is not there: acme is broken; see `gen plugins`"
    assert mend_for("acme", missing) == named
    counted = "install the plugin that provides 'new/…'; `gen plugins` shows what is installed"
    assert mend_for("new", []) == counted
    assert mend_for("new", missing[:1]) == counted + " (1 other plugin is not loaded, and not called so)"
    assert mend_for("new", missing).endswith("(2 other plugins are not loaded, and not called so)")
    every = MissingPlugin("every third-party plugin", "is switched off", everyone=True)
    assert "every third-party plugin is switched off" in mend_for("new", [every])
