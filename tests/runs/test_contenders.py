from __future__ import annotations

import pytest

import genaudio
from genaudio.core.errors import GenaudioError
from genaudio.runs.contenders import contenders, default_embedding, default_schedules, default_solvers
from genaudio.samplers.dpm import DPM
from genaudio.samplers.heun import Heun


def test_names_say_what_is_not_at_its_default():
    found = contenders("solver", ["heun", "{type: dpm, order: 3, published: true}", "{type: dpm, order: 2}", "heun"])
    assert found == {"heun": Heun(), "dpm order=3 published=true": DPM(order=3, published=True), "dpm": DPM()}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hun", "did you mean 'heun'"),
        ("{type: dpm, ordre: 3}", "did you mean 'order'"),
        ("{type: dpm, order: 7}", "7"),
        ("{order: 3}", "a solver's name, or a mapping with 'type', as in {type:"),
        ("[euler, heun]", "a solver's name, or a mapping with 'type'"),
        ("3", "a solver's name, or a mapping with 'type'"),
        ("{type: dpm, order: 3", "--solver {type: dpm, order: 3:1:1"),
        ("{type: dpm, type: heun}", "type"),
    ],
)
def test_what_is_no_component_is_refused(text, message):
    with pytest.raises(GenaudioError) as caught:
        contenders("solver", [text])
    assert message in str(caught.value)


def test_defaults_begin_with_the_models_own_and_name_nothing_twice(tiny_run):
    model = genaudio.load(tiny_run, device="cpu")
    solvers = default_solvers(model)
    assert next(iter(solvers)) == "exponential_integrator"
    assert set(solvers) == {"exponential_integrator", "euler", "heun", "dpm"}
    assert list(default_schedules(model, tiny_run)) == ["karras"]
    assert default_embedding(model).sample_rate == 8000
