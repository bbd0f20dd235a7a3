"""The public surface: `create`, the names that `genaudio` offers, and what describes fields."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

import genaudio
from genaudio.core.component import Component, Floats, parameter
from genaudio.core.fields import field_card, field_cards
from genaudio.core.settings import SamplingSettings
from genaudio.plugins.testing import check_component


def test_the_public_names_are_these() -> None:
    assert genaudio.__all__ == [
        "Coefficients",
        "Component",
        "Conditioner",
        "Dataset",
        "Embedding",
        "GenaudioError",
        "Guidance",
        "Metric",
        "Network",
        "NoiseDistribution",
        "Preconditioner",
        "Recipe",
        "Representation",
        "Schedule",
        "Solver",
        "StepSolver",
        "__version__",
        "create",
        "hookimpl",
        "load",
        "load_recipe",
        "parameter",
        "run",
    ]


@pytest.mark.parametrize("name", genaudio.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(genaudio, name) is not None
    assert name in dir(genaudio)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        genaudio.nothing  # noqa: B018


def test_the_package_says_that_it_is_typed() -> None:
    assert importlib.resources.files("genaudio").joinpath("py.typed").is_file()


def test_importing_genaudio_imports_nothing_heavy() -> None:
    heavy = "{'torch', 'numpy', 'scipy', 'pydantic', 'ruamel', 'typer'}"
    code = f"import sys, genaudio; genaudio.hookimpl; print(*sorted({heavy} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""


def test_create_builds_a_component() -> None:
    from genaudio.samplers.heun import Heun

    assert genaudio.create("solver", "heun", s_churn=2.0) == Heun(s_churn=2.0)
    assert genaudio.create(kind="solver", type="heun") == Heun()


def test_create_reports_everything_that_is_wrong_with_the_parameters() -> None:
    with pytest.raises(genaudio.GenaudioError) as caught:
        genaudio.create("solver", "heun", s_churn=-1, s_nois=3, s_max="x")
    assert str(caught.value) == (
        "solver heun: s_churn\n"
        "    given     -1\n"
        "    expected  number, at least 0 (Fresh noise over the whole trajectory; 0: none)\n"
        "solver heun: s_max\n"
        "    given     'x'\n"
        "    expected  number, at least 0, or null (Highest noise level that gets fresh noise; null: no limit)\n"
        "solver heun: s_nois\n"
        "    given     the unknown key 's_nois'\n"
        "    expected  one of s_churn, s_min, s_max, s_noise, finish\n"
        "    mend      did you mean 's_noise'?"
    )


def test_create_of_an_unknown_type_says_which_is_near() -> None:
    with pytest.raises(genaudio.GenaudioError, match="did you mean 'heun'"):
        genaudio.create("solver", "huen")


class _Shown(Component):
    """A component with one field of each sort."""

    rate: int = parameter(16000, ge=1, lt=100000, unit="Hz", source="a paper, Eq. 1", description="A rate")
    scale: float | None = parameter(None, gt=0, description="A factor")
    weights: Floats = parameter((1.0, 0.5), min_length=1, description="Weights")
    required: str = parameter(description="A text")


def test_fields_are_described_in_words() -> None:
    cards = {card.name: card for card in field_cards(_Shown)}
    rate = cards["rate"]
    assert (rate.type, rate.bounds, rate.unit, rate.source) == (
        "integer",
        "at least 1, below 100000",
        "Hz",
        "a paper, Eq. 1",
    )
    assert rate.expected == "integer, at least 1, below 100000 in Hz (A rate)"
    assert cards["scale"].type == "number, above 0, or null"
    assert (cards["weights"].type, cards["weights"].bounds) == ("list of numbers", "at least 1 item")
    assert cards["weights"].default == (1.0, 0.5)
    assert cards["required"].required
    assert field_card(SamplingSettings, "format").type == "'wav' or 'flac'"


def test_settings_are_strict_and_frozen() -> None:
    with pytest.raises(ValueError, match="valid integer"):
        _Shown(rate="1", required="x")  # type: ignore[arg-type]
    check_kind = pytest.raises(AssertionError, match=r"no subclass of genaudio\.samplers\.base\.Solver")
    with check_kind:
        check_component(_Shown, "solver", required="x")
