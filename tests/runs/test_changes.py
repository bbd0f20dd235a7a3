from __future__ import annotations

import pytest

from genaudio.runs.changes import affected_stages, differences

RECIPE = {
    "seed": 1,
    "solver": {"type": "heun", "s_churn": 0.0},
    "training": {"steps": 5, "workers": 1},
    "guidance": None,
}


def test_differences_name_paths_with_both_values():
    other = {
        "seed": 1,
        "solver": {"type": "euler"},
        "training": {"steps": 5, "workers": 1},
        "guidance": {"type": "cfg"},
    }
    assert differences(RECIPE, other) == {
        "solver.type": ("heun", "euler"),
        "solver.s_churn": (0.0, None),
        "guidance.type": (None, "cfg"),
    }


def test_a_list_and_a_tuple_of_the_same_values_are_equal():
    assert differences({"a": [1, 2]}, {"a": (1, 2)}) == {}


@pytest.mark.parametrize(
    ("path", "old", "new", "first"),
    [
        ("training.learning_rate", 1, 2, "train"),
        ("dataset.level", 1, 2, "train"),
        ("seed", 1, 2, "train"),
        ("solver.order", 1, 2, "sample"),
        ("guidance.scale", 1, 2, "sample"),
        ("metric.0.draws", 1, 2, "evaluate"),
        ("embedding.type", 1, 2, "evaluate"),
        ("evaluation.reference", 1, 2, "evaluate"),
        ("evaluation.keep", 1, 2, "train"),  # which weights become the model
        ("audit.enabled", 1, 2, "audit"),
        ("report.max_classes", 1, 2, "report"),
        ("training.workers", 1, 2, None),
        ("training.steps", 1, 2, "sample"),
        ("training.steps", 2, 1, "train"),
    ],
)
def test_what_a_change_affects(path, old, new, first):
    stages = ("train", "sample", "evaluate", "audit", "report")
    assert affected_stages({path: (old, new)}, constant_rate=True) == stages[stages.index(first) if first else 5 :]


def test_more_steps_of_a_falling_rate_start_over():
    assert affected_stages({"training.steps": (1, 2)}, constant_rate=False)[0] == "train"
