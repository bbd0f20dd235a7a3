"""Discovery: each plugin alone, all or nothing, and none of them fatal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from genaudio.core.errors import RecipeError, UnknownComponentError
from genaudio.core.recipe import recipe_from_mapping
from genaudio.plugins.manager import Installed, Plugin, discover
from genaudio.samplers.euler import Euler

Install = Callable[..., None]

GOOD = """
    import genaudio

    @genaudio.hookimpl
    def genaudio_register(registry):
        registry.add("solver", "{prefix}/euler", "genaudio.samplers.euler:Euler", "Euler again")
"""


def only(found: Installed, distribution: str) -> Plugin:
    (plugin,) = [plugin for plugin in found.plugins if plugin.distribution == distribution]
    return plugin


def test_a_plugin_adds_its_components(install: Install) -> None:
    install("acme-solvers", "fake_acme", GOOD.format(prefix="acme"))
    found = discover(None)
    plugin = only(found, "acme-solvers")
    assert (plugin.version, plugin.components, plugin.error) == ("1.2", (("solver", "acme/euler"),), "")
    assert found.registry.load("solver", "acme/euler") is Euler
    assert found.registry.entry("solver", "acme/euler").distribution == "acme-solvers"
    recipe = recipe_from_mapping(
        {"name": "test", "dataset": "procedural", "solver": "acme/euler"}, registry=found.registry
    )
    assert isinstance(recipe.solver, Euler)


BROKEN = {
    "raises at import": ("raise RuntimeError('no luck')", "RuntimeError: no luck"),
    "exits at import": ("raise SystemExit(3)", "SystemExit: 3"),
    "imports what is not there": ("import no_such_module_here", "ModuleNotFoundError"),
    "is no Python": ("def (", "SyntaxError"),
    "raises in its hook": (
        """
        import genaudio

        @genaudio.hookimpl
        def genaudio_register(registry):
            registry.add("solver", "broken/euler", "genaudio.samplers.euler:Euler", "")
            raise ValueError("half way")
        """,
        "ValueError: half way",
    ),
    "has no prefix": (
        """
        import genaudio

        @genaudio.hookimpl
        def genaudio_register(registry):
            registry.add("solver", "better_heun", "genaudio.samplers.heun:Heun", "")
        """,
        "register it as 'broken_plugin/better_heun'",
    ),
    "names an unknown kind": (
        """
        import genaudio

        @genaudio.hookimpl
        def genaudio_register(registry):
            registry.add("sampler", "broken/x", "a:B", "")
        """,
        "kind 'sampler'",
    ),
    "misspells the hook": (
        """
        import genaudio

        @genaudio.hookimpl
        def genaudio_regster(registry):
            pass
        """,
        "genaudio_regster",
    ),
    "forgets the marker": ("def genaudio_register(registry):\n    pass\n", "mark it with @genaudio.hookimpl"),
    "misspells an argument": (
        """
        import genaudio

        @genaudio.hookimpl
        def genaudio_register(registy):
            pass
        """,
        "registy",
    ),
    "implements nothing": ("x = 1\n", "implements no hook"),
    "wraps a hook": (
        """
        import genaudio

        @genaudio.hookimpl(wrapper=True)
        def genaudio_run_end(directory):
            yield
        """,
        "hook wrapper",
    ),
}


@pytest.mark.parametrize(("code", "words"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_plugin_is_recorded_and_rolled_back(code: str, words: str, install: Install) -> None:
    install("a-good-one", "fake_good_a", GOOD.format(prefix="good_a"))
    install("broken-plugin", "fake_broken", code)
    install("z-good-one", "fake_good_z", GOOD.format(prefix="good_z"))
    found = discover(None)
    plugin = only(found, "broken-plugin")
    assert words in plugin.error
    assert plugin.traceback
    assert plugin.components == ()
    assert [name for name in found.registry.names("solver") if "/" in name] == ["good_a/euler", "good_z/euler"]
    assert "heun" in found.registry.names("solver")


def test_an_entry_point_that_is_not_there_is_recorded(install: Install) -> None:
    install("acme-solvers", "fake_acme", GOOD.format(prefix="acme"), entry="fake_acme.other:thing")
    assert "ModuleNotFoundError" in only(discover(None), "acme-solvers").error


def test_a_recipe_that_names_a_component_of_a_broken_plugin_says_so(install: Install) -> None:
    install("acme-solvers", "fake_acme", "import no_such_module_here")
    registry = discover(None).registry
    with pytest.raises(RecipeError) as caught:
        recipe_from_mapping({"name": "test", "dataset": "procedural", "solver": "acme/x"}, registry=registry)
    message = str(caught.value)
    assert "acme-solvers could not be loaded (ModuleNotFoundError: No module named 'no_such_module_here')" in message
    assert "gen plugins" in message


def test_of_broken_plugins_only_those_that_may_be_meant_are_named(install: Install) -> None:
    install("acme-solvers", "fake_acme", "import no_such_module_here")
    install("unrelated", "fake_unrelated", "raise RuntimeError('no luck')")
    install("other-name", "fake_other", BROKEN["raises in its hook"][0])  # which has registered broken/euler
    registry = discover(None).registry

    def mend(name: str) -> str:
        with pytest.raises(UnknownComponentError) as caught:
            registry.load("solver", name)
        return caught.value.problems[0].mend

    assert "acme-solvers could not be loaded" in mend("acme/x")
    assert "other-name could not be loaded (ValueError: half way)" in mend("broken/x")
    for name in ("acme/x", "broken/x"):
        assert "unrelated" not in mend(name)
        assert mend(name).count("could not be loaded") == 1
    said = mend("zebra/x")
    assert said.startswith("install the plugin that provides 'zebra/…'; `gen plugins` shows what is installed")
    assert "(3 other plugins are not loaded, and not called so)" in said
    assert "could not be loaded" not in said


def test_a_collision_names_both_distributions_and_keeps_the_first(install: Install) -> None:
    install("acme-one", "fake_one", GOOD.format(prefix="acme"))
    install("acme-two", "fake_two", GOOD.format(prefix="acme"))
    found = discover(None)
    assert "registered twice: by acme-one and by acme-two" in only(found, "acme-two").error
    assert found.registry.entry("solver", "acme/euler").distribution == "acme-one"


def test_a_plugin_cannot_take_a_built_in_name(install: Install) -> None:
    install("acme-solvers", "fake_acme", GOOD.replace("{prefix}/euler", "heun"))
    found = discover(None)
    assert "bare names are for built-ins only" in only(found, "acme-solvers").error
    assert found.registry.entry("solver", "heun").distribution == "genaudio"


def test_the_variable_switches_third_parties(install: Install) -> None:
    install("acme-one", "fake_one", GOOD.format(prefix="one"))
    install("acme-two", "fake_two", GOOD.format(prefix="two"))
    names = {
        selection: discover(selection).registry.names("solver")
        for selection in (None, "", "Acme_Two", " acme-one,acme.two")
    }
    third = {selection: [name for name in found if "/" in name] for selection, found in names.items()}
    assert third == {
        None: ["one/euler", "two/euler"],
        "": [],
        "Acme_Two": ["two/euler"],
        " acme-one,acme.two": ["one/euler", "two/euler"],
    }


def test_a_plugin_that_is_switched_off_is_not_imported(install: Install, site: Path) -> None:
    install("acme-one", "fake_one", f"open({str(site / 'imported')!r}, 'w').close()")
    found = discover("")
    assert not (site / "imported").exists()
    with pytest.raises(UnknownComponentError, match="every third-party plugin is switched off by GENAUDIO_PLUGINS"):
        found.registry.load("solver", "acme/x")


def test_a_name_in_the_variable_that_is_not_installed_is_recorded(install: Install) -> None:
    assert "no installed distribution" in only(discover("acme-none"), "acme-none").error


def test_what_a_plugin_prints_goes_to_the_error_stream(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    install("acme-solvers", "fake_acme", "print('hello')" + GOOD.format(prefix="acme").replace("\n    ", "\n"))
    discover(None)
    out, err = capsys.readouterr()
    assert out == ""
    assert "hello" in err


def test_an_interruption_while_loading_passes(install: Install) -> None:
    install("acme-solvers", "fake_acme", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        discover(None)


def test_damaged_metadata_of_another_package_stops_nothing(site: Path, install: Install) -> None:
    (site / "damaged-1.0.dist-info").mkdir()
    (site / "damaged-1.0.dist-info" / "entry_points.txt").write_text("[genaudio.v1]\ndamaged = fake_damaged\n")
    install("acme-solvers", "fake_acme", GOOD.format(prefix="acme"))
    found = discover(None)
    assert only(found, "acme-solvers").error == ""
    assert any(plugin.error for plugin in found.plugins)
