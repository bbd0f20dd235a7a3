"""The registry: names, look-up, collisions, targets."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest

from genaudio.core.errors import PluginError, UnknownComponentError
from genaudio.core.missing_plugin import MissingPlugin
from genaudio.core.registry import KINDS, Registry, suggestion
from genaudio.samplers.euler import Euler
from genaudio.samplers.heun import Heun


@pytest.fixture
def registry() -> Registry:
    registry = Registry()
    registry.add("solver", "euler", "genaudio.samplers.euler:Euler", "Euler's method")
    registry.add("solver", "heun", "genaudio.samplers.heun:Heun", "Heun's method")
    return registry


def test_load_gives_the_class_and_name_of_gives_the_name_back(registry: Registry) -> None:
    assert registry.load("solver", "heun") is Heun
    assert registry.name_of("solver", Heun(s_churn=1.0)) == "heun"


def test_a_class_that_its_target_re_exports_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    front = types.ModuleType("acme_front")
    front.Solver = Euler  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "acme_front", front)
    staged = Registry("acme")
    staged.add("solver", "acme/euler", "acme_front:Solver", "")
    assert staged.name_of("solver", Euler()) == "acme/euler"


def test_an_unknown_name_says_which_there_are_and_which_is_near(registry: Registry) -> None:
    with pytest.raises(UnknownComponentError) as caught:
        registry.load("solver", "eular")
    assert str(caught.value) == (
        "solver 'eular'\n    expected  one of euler, heun\n    mend      did you mean 'euler'?"
    )
    with pytest.raises(UnknownComponentError, match="did you mean 'solver'"):
        registry.load("sovler", "euler")


def test_an_unknown_name_of_a_third_party_says_why_it_may_be_absent(registry: Registry) -> None:
    with pytest.raises(UnknownComponentError, match="install the plugin that provides 'acme/…'"):
        registry.load("solver", "acme/heun")
    registry.missing.append(MissingPlugin("acme-solvers", "could not be loaded (ImportError: no module x)"))
    with pytest.raises(UnknownComponentError, match="acme-solvers could not be loaded \\(ImportError: no module x\\)"):
        registry.load("solver", "acme/heun")
    with pytest.raises(UnknownComponentError) as caught:
        registry.load("solver", "heunn")  # a bare name is a built-in's: no plugin provides it
    assert "acme" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("sovler", "acme/x", "m:C", ""), "did you mean 'solver'"),
        (("solver", "acme/X", "m:C", ""), "lower-case letters"),
        (("solver", "a/b/c", "m:C", ""), "lower-case letters"),
        (("solver", "x", "m:C", ""), "register it as 'acme_solvers/x'"),
        (("solver", "acme/x", "m.C", ""), "'package.module:Class'"),
        (("solver", "acme/x", "os; x:C", ""), "'package.module:Class'"),
    ],
)
def test_a_wrong_registration_is_refused(arguments: tuple[str, str, str, str], words: str) -> None:
    with pytest.raises(PluginError) as caught:
        Registry("acme-solvers").add(*arguments)
    assert words in str(caught.value)


def test_a_collision_names_both_distributions(registry: Registry) -> None:
    first, second = Registry("acme-one"), Registry("acme-two")
    first.add("solver", "acme/x", "one:X", "")
    second.add("solver", "acme/y", "two:Y", "")
    second.add("solver", "acme/x", "two:X", "")
    registry.merge(first)
    with pytest.raises(PluginError, match="registered twice: by acme-one and by acme-two"):
        registry.merge(second)
    assert registry.names("solver") == ["euler", "heun", "acme/x"]  # nothing of the second came in


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("no_such_module_here:X", "ModuleNotFoundError"),
        ("genaudio.samplers.heun:Nothing", "AttributeError"),
        ("genaudio.training.noise.log_normal:LogNormal", "is not a Solver"),
        ("math:pi", "is not a Solver"),
    ],
)
def test_a_target_is_imported_and_checked_against_the_base_class(target: str, words: str) -> None:
    registry = Registry("acme")
    registry.add("solver", "acme/x", target, "")
    with pytest.raises(PluginError, match=words):
        registry.load("solver", "acme/x")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("class X(Solver): pass", r"leaves out evaluations, solve\n    expected  all that .*base.Solver asks for"),
        ("class X(Euler):\n    type: str = 'x'", r"has a field called 'type'\n    expected  another name"),
        ("class X(Euler):\n    b = 3", r"failed: PydanticUserError: A non-annotated .*\n    expected  an importable"),
    ],
)
def test_a_class_that_is_no_whole_component_is_refused(
    source: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imports = "from genaudio import Solver\nfrom genaudio.samplers.euler import Euler\n"
    (tmp_path / "half_a_solver.py").write_text(imports + source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "half_a_solver", raising=False)
    registry = Registry("acme")
    registry.add("solver", "acme/x", "half_a_solver:X", "")
    with pytest.raises(PluginError, match=words):
        registry.load("solver", "acme/x")


def test_a_target_that_ends_the_process_is_an_error(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("path")
    (folder / "quits_at_import.py").write_text("raise SystemExit(3)\n")
    registry = Registry("acme")
    registry.add("solver", "acme/x", "quits_at_import:X", "")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        with pytest.raises(PluginError, match="SystemExit"):
            registry.load("solver", "acme/x")


def test_every_kind_has_a_base_class() -> None:
    from genaudio.core.registry import kind_base

    for kind in KINDS:
        assert kind_base(kind).__doc__


def test_suggestion() -> None:
    assert suggestion("hoen", ["euler", "heun"]) == "did you mean 'heun'?"
    assert suggestion("zzz", ["euler", "heun"]) == ""
