"""The JSON Schema accepts what the recipe model accepts, and refuses common mistakes."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from genaudio.core.audit_settings import AuditSettings
from genaudio.core.errors import RecipeError
from genaudio.core.json_schema import recipe_schema
from genaudio.core.recipe import recipe_from_mapping
from genaudio.core.recipe_blocks import BLOCKS
from genaudio.core.registry import Registry
from genaudio.plugins.manager import registry

SMALLEST: dict[str, Any] = {"name": "test", "dataset": "procedural"}


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = recipe_schema(registry())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


GOOD: list[dict[str, Any]] = [
    {},
    {"solver": "heun"},
    {"solver": {"type": "heun"}},
    {"solver": {"type": "heun", "s_churn": 3}},
    {"guidance": None, "conditioner": None},
    {"guidance": {"type": "cfg", "scale": 2.5}},
    {"preconditioner": {"type": "edm", "sigma_data": "auto"}},
    {"preconditioner": {"type": "edm", "sigma_data": 0.5}},
    {"network": {"type": "efficient_unet", "first_kernels": [3, 5]}},
    {"dataset": {"type": "folder", "root": "sounds"}},
    {"training": {"steps": 3, "gradient_clip": None}, "sampling": {"labels": ["rain"], "bit_depth": 24}},
    {"version": 1, "seed": 3, "device": "cuda:1"},
]
BAD: list[dict[str, Any]] = [
    {"name": "a b"},
    {"dataset": None},
    {"dataset": "folder"},  # its root is required
    {"dataset": {"type": "folder"}},
    {"solver": "hern"},
    {"solver": {"type": "hern"}},
    {"solver": {"s_churn": 3}},
    {"solver": {"type": "heun", "order": 3}},
    {"solver": {"type": "heun", "s_churn": -1}},
    {"solver": None},
    {"solver": ["heun"]},
    {"solver": 3},
    {"noise": {"type": "log_normal", "std": 0}},
    {"training": {"steps": 0}},
    {"training": {"stepz": 1}},
    {"training": {"decay": "linear"}},
    {"batch_size": 3},
    {"version": 2},
    {"device": "gpu"},
]


@pytest.mark.parametrize("change", GOOD, ids=str)
def test_good_recipes_pass_both(validator: jsonschema.Draft202012Validator, change: dict[str, Any]) -> None:
    recipe = recipe_from_mapping({**SMALLEST, **change})
    validator.validate({**SMALLEST, **change})
    validator.validate(recipe.to_mapping())  # and so does the resolved recipe


@pytest.mark.parametrize("change", BAD, ids=str)
def test_bad_recipes_pass_neither(validator: jsonschema.Draft202012Validator, change: dict[str, Any]) -> None:
    assert list(validator.iter_errors({**SMALLEST, **change}))
    with pytest.raises(RecipeError):
        recipe_from_mapping({**SMALLEST, **change})


def test_an_error_is_about_the_type_that_was_written(validator: jsonschema.Draft202012Validator) -> None:
    errors = list(validator.iter_errors({**SMALLEST, "solver": {"type": "heun", "s_churn": -1}}))
    assert len(errors) == 1
    assert list(errors[0].absolute_path) == ["solver", "s_churn"]


def test_the_keys_of_a_recipe_are_these() -> None:
    schema = recipe_schema(registry())
    assert schema["required"] == ["name", "dataset"]
    assert list(schema["properties"]) == [
        "version",
        "name",
        "seed",
        "device",
        "dataset",
        "representation",
        "network",
        "conditioner",
        "preconditioner",
        "noise",
        "schedule",
        "solver",
        "guidance",
        "embedding",
        "metric",
        "training",
        "sampling",
        "evaluation",
        "audit",
        "report",
    ]
    assert {name: list(part["properties"]) for name, part in schema["$defs"].items() if name.endswith("Settings")} == {
        "TrainingSettings": [
            "steps",
            "batch_size",
            "learning_rate",
            "warmup_steps",
            "decay",
            "weight_decay",
            "gradient_clip",
            "ema_decay",
            "precision",
            "compile",
            "checkpoint_every",
            "keep_checkpoints",
            "log_every",
            "workers",
        ],
        "SamplingSettings": [
            "clips_per_class",
            "labels",
            "nfe",
            "num_steps",
            "seed",
            "batch_size",
            "format",
            "bit_depth",
            "reject_copies",
        ],
        "EvaluationSettings": ["reference", "reference_clips", "every", "clips_per_class", "keep", "best_by"],
        "AuditSettings": list(AuditSettings.model_fields),
        "ReportSettings": ["clips_per_class", "max_classes"],
    }


def test_every_component_of_a_recipe_has_its_definition() -> None:
    found = registry()
    schema = recipe_schema(found)
    for kind in BLOCKS:
        for name in found.names(kind):
            definition = schema["$defs"][f"{kind}.{name.replace('/', '.')}"]
            assert definition["properties"]["type"] == {"const": name}
            assert all(
                "description" in part or "$ref" in part
                for key, part in definition["properties"].items()
                if key != "type"
            )


def test_a_component_that_cannot_be_imported_is_accepted_as_it_stands() -> None:
    broken = Registry("acme")
    broken.add("solver", "acme/x", "no_such_module_here:X", "")
    schema = recipe_schema(broken)
    jsonschema.Draft202012Validator.check_schema(schema)
    solver = {**schema["properties"]["solver"], "$defs": schema["$defs"]}
    jsonschema.validate({"type": "acme/x", "whatever": 1}, solver)
