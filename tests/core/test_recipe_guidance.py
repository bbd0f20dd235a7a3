"""Guidance in a recipe: none, one, or a list; overrides of its items, provenance, schema, mistakes with their place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from genaudio.core.errors import RecipeError
from genaudio.core.json_schema import recipe_schema
from genaudio.core.recipe import Recipe, load_recipe, open_recipe, recipe_from_mapping
from genaudio.core.yaml_writer import to_yaml
from genaudio.plugins.manager import registry
from genaudio.samplers.guidance.apg import APG
from genaudio.samplers.guidance.cfg import CFG
from genaudio.samplers.guidance.interval import Interval
from genaudio.samplers.guidance.rescale import Rescale

SMALLEST: dict[str, Any] = {"name": "test", "dataset": "procedural"}
HEAD = "name: test\ndataset: procedural\n"
LIST = HEAD + "guidance:\n  - {type: cfg, scale: 3}\n  - type: interval\n    high: 5\n  - rescale\n"
COMPONENTS = (CFG(scale=3.0), Interval(high=5.0), Rescale())


@pytest.fixture
def recipe_file(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(LIST)
    return path


def of(guidance: Any, *overrides: str) -> Any:
    return recipe_from_mapping({**SMALLEST, "guidance": guidance}, overrides).guidance


def test_it_may_be_null_a_name_a_mapping_or_a_list_of_those(recipe_file: Path) -> None:
    assert of(None) is None
    assert of("cfg") == CFG()
    assert of({"type": "cfg", "scale": 3}) == CFG(scale=3.0)
    assert of(["cfg", {"type": "rescale", "phi": 0.5}, APG()]) == (CFG(), Rescale(phi=0.5), APG())
    assert load_recipe(recipe_file).guidance == COMPONENTS
    assert Recipe(name="test", dataset="procedural", guidance=(CFG(), Rescale())).guidance == (CFG(), Rescale())


def test_the_resolved_form_of_a_single_one_is_a_mapping_and_of_a_list_a_list(recipe_file: Path, tmp_path: Path) -> None:
    assert recipe_from_mapping({**SMALLEST, "guidance": "cfg"}).to_mapping()["guidance"] == {
        "type": "cfg",
        "scale": 1.0,
    }
    assert recipe_from_mapping({**SMALLEST, "guidance": ["cfg"]}).to_mapping()["guidance"] == [
        {"type": "cfg", "scale": 1.0}
    ]
    recipe = load_recipe(recipe_file)
    assert recipe.to_mapping()["guidance"] == [
        {"type": "cfg", "scale": 3.0},
        {"type": "interval", "low": 0.0, "high": 5.0},
        {"type": "rescale", "phi": 0.7},
    ]
    again = tmp_path / "again.yaml"
    again.write_text(recipe.to_yaml())
    assert load_recipe(again) == recipe
    assert recipe_from_mapping(recipe.to_mapping()) == recipe
    assert recipe.type_name("guidance") == "cfg + interval + rescale"


def test_the_resolved_yaml_has_one_line_a_value(recipe_file: Path) -> None:
    text = load_recipe(recipe_file).to_yaml()
    assert (
        "guidance:\n  - type: cfg\n    scale: 3.0\n"
        "  - type: interval\n    low: 0.0\n    high: 5.0\n  - type: rescale\n    phi: 0.7\n"
    ) in text
    assert to_yaml({"a": [{"b": {"c": 1}, "d": []}], "e": [[1, 2]], "f": [{}]}) == (
        "a:\n  - b:\n      c: 1\n    d: []\ne: [[1, 2]]\nf: [{}]\n"
    )


# -- overrides ---------------------------------------------------------------------------------------------------------


def test_items_and_their_fields_can_be_overridden(recipe_file: Path) -> None:
    loaded = open_recipe(recipe_file, ["guidance.0.scale=4", "guidance.2.phi=0.2", "guidance.1.low=0.5"])
    assert loaded.recipe.guidance == (CFG(scale=4.0), Interval(low=0.5, high=5.0), Rescale(phi=0.2))
    assert loaded.notices == ()


def test_a_single_one_is_overridden_as_ever() -> None:
    assert of("cfg", "guidance.scale=3") == CFG(scale=3.0)
    assert of("cfg", "guidance=null") is None
    assert of(None, "guidance.scale=3", "guidance=cfg") == CFG(scale=3.0)


def test_the_type_of_an_item_is_set_before_its_fields_and_drops_the_old_ones(recipe_file: Path) -> None:
    loaded = open_recipe(recipe_file, ["guidance.0.eta=0.5", "guidance.0=apg"])
    assert loaded.recipe.guidance == (APG(eta=0.5), *COMPONENTS[1:])
    assert loaded.notices == ("guidance.0: cfg → apg, so these keys of the recipe were dropped: scale",)
    by_type = open_recipe(recipe_file, ["guidance.0.type=apg"])
    assert by_type.recipe.guidance == (APG(), *COMPONENTS[1:])
    whole = open_recipe(recipe_file, ["guidance.0={type: apg, scale: 5}"])
    assert whole.recipe.guidance == (APG(scale=5.0), *COMPONENTS[1:])
    assert whole.notices == ()
    same = open_recipe(recipe_file, ["guidance.0=cfg"])
    assert (same.recipe.guidance, same.notices) == (COMPONENTS, ())


def test_the_whole_is_set_before_its_items(recipe_file: Path) -> None:
    loaded = open_recipe(recipe_file, ["guidance.0.scale=2", "guidance.1=rescale", "guidance=[cfg, cfg]"])
    assert loaded.recipe.guidance == (CFG(scale=2.0), Rescale())
    assert loaded.notices == (
        "guidance: [cfg, interval, rescale] → [cfg, cfg], so these keys of the recipe were dropped: 0.scale, 1.high",
    )
    assert open_recipe(recipe_file, ["guidance=cfg"]).notices == (
        "guidance: [cfg, interval, rescale] → cfg, so these keys of the recipe were dropped: 0.scale, 1.high",
    )


def test_each_value_of_an_item_knows_where_it_came_from(recipe_file: Path) -> None:
    loaded = open_recipe(recipe_file, ["guidance.2.phi=0.2", "guidance.1.high=4"])

    def origin(*path: str | int) -> str:
        source, position = loaded.origin(("guidance", *path))
        return f"{source} {position or ''}".strip()

    assert origin(0, "scale") == f"recipe {recipe_file}:4:24"
    assert origin(1, "type") == f"recipe {recipe_file}:5:11"
    assert origin(1, "low") == "default"
    assert origin(1, "high") == "override --set guidance.1.high=4"
    assert origin(2, "type") == f"recipe {recipe_file}:7:5"
    assert origin(2, "phi") == "override --set guidance.2.phi=0.2"
    changed = open_recipe(recipe_file, ["guidance.2=cfg"])
    assert str(changed.origin(("guidance", 2, "type"))[1]) == "--set guidance.2=cfg"
    assert changed.origin(("guidance", 2, "scale")) == ("default", None)


# -- mistakes ----------------------------------------------------------------------------------------------------------

# id, the guidance block from line 3 on, place, words
MISTAKES = [
    ("an empty list", "guidance: []", ":3:11  guidance", ["an empty list", "at least one guidance, or null for none"]),
    ("a number", "guidance: 3", ":3:11  guidance", ["a guidance or null, or a list: cfg, apg"]),
    ("an unknown name", "guidance: [cfg, rescael]", ":3:17  guidance.1.type", ["did you mean 'rescale'?"]),
    ("an unknown type", "guidance: [{type: cgf}]", ":3:19  guidance.0.type", ["did you mean 'cfg'?"]),
    ("no type of a single one", "guidance: {scale: 3}", ":3:1  guidance.type", ["write guidance: {type: …}"]),
    ("no type", "guidance: [{scale: 3}]", ":3:12  guidance.0.type", ["nothing", "one of cfg"]),
    ("null in it", "guidance: [cfg, null]", ":3:17  guidance.1", ["null", "a mapping with 'type', or the name"]),
    ("none in it", "guidance: [none]", ":3:12  guidance.0.type", ["guidance 'none'", "one of cfg"]),
    ("a list in it", "guidance: [[cfg]]", ":3:12  guidance.0", ["[cfg]", "a mapping with 'type'"]),
    (
        "out of bounds",
        "guidance:\n  - cfg\n  - type: rescale\n    phi: 2",
        ":6:10  guidance.1.phi",
        ["given     2", "at least 0, at most 1"],
    ),
    (
        "an unknown field",
        "guidance: [cfg, {type: rescale, fi: 1}]",
        ":3:33  guidance.1.fi",
        ["unknown key 'fi'", "phi"],
    ),
    ("a quoted number", "guidance: [{type: cfg, scale: '3'}]", ":3:31  guidance.0.scale", ["without quotes"]),
    ("a missing field", "guidance: [cfg, interval]", ":3:17  guidance.1.high", ["nothing", "add the key 'high'"]),
    (
        "an interval upside down",
        "guidance: [cfg, {type: interval, low: 3, high: 2}]",
        ":3:17  guidance.1",
        ["low 3 and high 2", "low below high"],
    ),
    ("nothing to limit", "guidance: {type: interval, high: 3}", ":3:11  guidance", ["no guidance before it"]),
    ("nothing to rescale", "guidance: [rescale, cfg]", ":3:12  guidance.0", ["no guidance before it", "list it after"]),
    (
        "no condition",
        "guidance: [{type: autoguidance, model: w}, apg]\nconditioner: null",
        ":3:44  guidance.1",
        ["guidance, while conditioner is null"],
    ),
    (
        "no dropout",
        "guidance: [{type: autoguidance, model: w}, apg]\nconditioner: {type: label, dropout: 0.0}",
        ":4:37  conditioner.dropout",
        ["0, while guidance is set"],
    ),
]


@pytest.mark.parametrize(("block", "place", "words"), [m[1:] for m in MISTAKES], ids=[m[0] for m in MISTAKES])
def test_a_mistake_is_reported_where_it_is(
    block: str, place: str, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("recipe.yaml").write_text(HEAD + block + "\n")
    with pytest.raises(RecipeError) as caught:
        open_recipe("recipe.yaml")
    message = str(caught.value)
    assert message.startswith(f"recipe.yaml{place}\n"), message
    assert len(caught.value.problems) == 1, message
    for word in words:
        assert word in message


def test_all_mistakes_of_a_list_are_reported_at_once(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(HEAD + "guidance: [{type: cfg, scale: -1}, none, {type: rescale, phi: x, psi: 1}]\n")
    with pytest.raises(RecipeError) as caught:
        open_recipe(path)
    assert [problem.path for problem in caught.value.problems] == [
        "guidance.0.scale",
        "guidance.1.type",
        "guidance.2.phi",
        "guidance.2.psi",
    ]


OVERRIDES = [
    ("a field of the list", LIST, "guidance.scale=3", ["a list of 3", "for the first item: --set guidance.0.scale=…"]),
    ("an item that is not there", LIST, "guidance.3.scale=3", ["the index 3 into a list of 3", "from 0 to 2"]),
    ("an item of a single one", HEAD + "guidance: cfg", "guidance.0.scale=3", ["no list", "--set guidance.scale=…"]),
    ("an item of none", HEAD, "guidance.0.scale=3", ["guidance is not in the recipe", "gives the whole list"]),
    ("a value out of bounds", LIST, "guidance.2.phi=3", ["guidance.2.phi", "given     3", "at most 1"]),
    ("an unknown type", LIST, "guidance.2=resale", ["guidance.2.type", "did you mean 'rescale'?"]),
]


@pytest.mark.parametrize(("text", "override", "words"), [o[1:] for o in OVERRIDES], ids=[o[0] for o in OVERRIDES])
def test_a_mistaken_override_is_shown_as_it_was_given(
    text: str, override: str, words: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError) as caught:
        open_recipe(path, [override])
    assert str(caught.value).startswith(f"--set {override}  guidance"), str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_autoguidance_needs_neither_dropout_nor_conditioner() -> None:
    auto = {"type": "autoguidance", "model": "runs/weak"}
    for conditioner in (None, {"type": "label", "dropout": 0.0}):
        assert recipe_from_mapping({**SMALLEST, "guidance": [auto, "rescale"], "conditioner": conditioner})


# -- schema ------------------------------------------------------------------------------------------------------------

GOOD: list[Any] = [
    None,
    "cfg",
    ["cfg"],
    [{"type": "cfg", "scale": 3}, {"type": "interval", "high": 5}, "rescale"],
    [{"type": "apg", "norm_threshold": None}],
]
BAD: list[Any] = [
    [],
    [None],
    [["cfg"]],
    ["interval"],  # high is required
    ["cgf"],
    [{"scale": 3}],
    ["cfg", {"type": "rescale", "phi": 2}],
    ["cfg", {"type": "rescale", "scale": 2}],
]


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = recipe_schema(registry())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("guidance", GOOD, ids=str)
def test_the_schema_accepts_what_the_recipe_does(guidance: Any, validator: jsonschema.Draft202012Validator) -> None:
    validator.validate({**SMALLEST, "guidance": guidance})
    validator.validate(recipe_from_mapping({**SMALLEST, "guidance": guidance}).to_mapping())


@pytest.mark.parametrize("guidance", BAD, ids=str)
def test_the_schema_refuses_what_the_recipe_does(guidance: Any, validator: jsonschema.Draft202012Validator) -> None:
    assert list(validator.iter_errors({**SMALLEST, "guidance": guidance}))
    with pytest.raises(RecipeError):
        recipe_from_mapping({**SMALLEST, "guidance": guidance})


def test_an_error_of_the_schema_is_about_the_item(validator: jsonschema.Draft202012Validator) -> None:
    errors = list(validator.iter_errors({**SMALLEST, "guidance": ["cfg", {"type": "rescale", "phi": 2}]}))
    assert [list(error.absolute_path) for error in errors] == [["guidance", 1, "phi"]]
