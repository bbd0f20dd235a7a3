"""Whatever is done to a valid recipe, loading it gives a recipe or a RecipeError, never anything else."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genaudio.core.errors import RecipeError
from genaudio.core.recipe import open_recipe, recipe_from_mapping

TEXT = """\
version: 1
name: full
dataset: {type: procedural, sample_rate: 22050}
network:
  type: efficient_unet
  preset: tiny
  first_kernels: [3, 5]
preconditioner: {type: edm, sigma_data: 0.5, sigma_max: 40}
solver: &s {type: heun, s_churn: 10.0}
guidance: {type: cfg, scale: 3}
training: {steps: 100, gradient_clip: null}
sampling: {labels: [rain, "engine"], nfe: 15, format: flac}
"""
DATA: dict[str, Any] = {
    "version": 1,
    "name": "full",
    "dataset": {"type": "procedural", "sample_rate": 22050},
    "network": {"type": "efficient_unet", "preset": "tiny", "first_kernels": [3, 5]},
    "preconditioner": {"type": "edm", "sigma_data": 0.5, "sigma_max": 40},
    "solver": {"type": "heun", "s_churn": 10.0},
    "guidance": {"type": "cfg", "scale": 3},
    "training": {"steps": 100, "gradient_clip": None},
    "sampling": {"labels": ["rain", "engine"], "nfe": 15, "format": "flac"},
}
PATHS = [(key,) for key in DATA] + [
    (key, inner) for key, value in DATA.items() if isinstance(value, dict) for inner in value
]

leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["auto", "heun", "acme/x", "type", "karras", "null", "~", "0x1f", "1e400", "cfg", "rescale"])
)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6) | st.just("type"), inner, max_size=3)
    ),
    max_leaves=5,
)
bounded = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def must_be_clear(error: RecipeError) -> None:
    """An error says something about each of its problems, and never speaks of its own insides."""
    assert error.problems
    assert all(problem.given for problem in error.problems)
    assert "pydantic" not in str(error)


@bounded
@given(changes=st.lists(st.tuples(st.sampled_from(PATHS), values | st.just(...)), min_size=1, max_size=3))
def test_changed_values(changes: list[tuple[tuple[str, ...], Any]]) -> None:
    data = copy.deepcopy(DATA)
    for path, value in changes:
        block = data if len(path) == 1 else data.get(path[0])
        if not isinstance(block, dict):
            continue
        if value is ...:
            block.pop(path[-1], None)
        else:
            block[path[-1]] = value
    try:
        recipe = recipe_from_mapping(data)
    except RecipeError as error:
        must_be_clear(error)
    else:
        assert recipe_from_mapping(recipe.to_mapping()) == recipe


@bounded
@given(
    start=st.integers(0, len(TEXT)),
    length=st.integers(0, 12),
    insert=st.text(max_size=6)
    | st.sampled_from(
        [
            "\t",
            "\n",
            ": ",
            "- ",
            "*s",
            "&s ",
            "{",
            "]",
            "'",
            '"',
            "#",
            "|",
            "? ",
            "!!int ",
            "%YAML 1.1\n---\n",
            "<<: *s\n",
            "\r",
            "\ufeff",
        ]
    ),
)
def test_changed_text(start: int, length: int, insert: str, tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes((TEXT[:start] + insert + TEXT[start + length :]).encode("utf-8", "surrogatepass"))
    try:
        loaded = open_recipe(path)
    except RecipeError as error:
        must_be_clear(error)
    else:
        path.write_text(loaded.recipe.to_yaml(), encoding="utf-8")
        assert open_recipe(path).recipe == loaded.recipe


@bounded
@given(content=st.binary(max_size=60))
def test_any_bytes(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes(content)
    try:
        open_recipe(path)
    except RecipeError as error:
        must_be_clear(error)


keys = st.sampled_from(
    ["solver", "type", "order", "network", "first_kernels", "seed", "training", "0", "1", "guidance", ""]
)
overrides = st.builds(
    lambda path, value: f"{'.'.join(path)}={value}",
    st.lists(keys, min_size=1, max_size=4),
    st.text(max_size=8)
    | st.sampled_from(["heun", "null", "[1, 2]", "{type: cfg}", "[cfg, rescale]", "3", "x: y", "*a", "&a"]),
)


@bounded
@given(
    texts=st.lists(overrides | st.text(max_size=12), max_size=4),
    guidance=st.sampled_from(["{type: cfg, scale: 3}", "[{type: cfg, scale: 3}, rescale]", "null"]),
)
def test_any_overrides(texts: list[str], guidance: str, tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(TEXT.replace("{type: cfg, scale: 3}", guidance))
    try:
        loaded = open_recipe(path, texts)
    except RecipeError as error:
        must_be_clear(error)
    else:
        for kind, block in loaded.recipe.to_mapping().items():
            for name in block if isinstance(block, dict) else ():
                loaded.origin((kind, name))
            for index, item in enumerate(block if isinstance(block, list) else ()):
                for name in item:
                    loaded.origin((kind, index, name))
