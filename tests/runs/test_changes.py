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


ALL = ("train", "sample", "evaluate", "audit", "report")


@pytest.mark.parametrize(
    ("path", "old", "new", "expected"),
    [
        ("training.learning_rate", 1, 2, ALL),
        ("dataset.level", 1, 2, ALL),
        ("seed", 1, 2, ALL),
        ("solver.order", 1, 2, ALL[1:]),
        ("guidance.scale", 1, 2, ALL[1:]),
        ("metric.0.draws", 1, 2, ("evaluate", "report")),
        ("embedding.type", 1, 2, ALL[2:]),
        ("evaluation.reference", 1, 2, ("evaluate", "report")),
        ("evaluation.every", 1, 2, ALL),
        ("evaluation.keep", 1, 2, ()),  # of itself: see the test of a choice
        ("audit.enabled", 1, 2, ("audit", "report")),
        ("report.max_classes", 1, 2, ("report",)),
        ("training.workers", 1, 2, ()),
        ("training.steps", 1, 2, ALL[1:]),
        ("training.steps", 2, 1, ALL),
    ],
)
def test_what_a_change_affects(path, old, new, expected):
    assert affected_stages({path: (old, new)}, constant_rate=True) == expected


def test_items_of_a_list_of_components_are_compared_one_by_one():
    before = {"metric": [{"type": "fad", "draws": 5}, {"type": "kad"}], "multipliers": [1, 2]}
    after = {"metric": [{"type": "fad", "draws": 6}], "multipliers": [1, 3]}
    assert differences(before, after) == {
        "metric.0.draws": (5, 6),
        "metric.1.type": ("kad", None),
        "multipliers": ([1, 2], [1, 3]),
    }


def test_settings_of_the_audit_matter_to_samples_that_it_screens():
    change = {"audit.false_alarm_rate": (0.01, 0.1)}
    assert affected_stages(change, constant_rate=True, screened=True) == ("sample", "evaluate", "audit", "report")
    assert affected_stages(change, constant_rate=True) == ("audit", "report")
    assert affected_stages({"audit.enabled": (True, False)}, constant_rate=True, screened=True) == ("audit", "report")


def test_another_choice_of_weights_is_another_model_and_no_other_training():
    change = {"metric.scale": (1, 2)}
    assert affected_stages(change, constant_rate=True, choice=True) == ALL[1:]
    assert affected_stages({"evaluation.keep": ("last", "best")}, constant_rate=True, choice=True) == ALL[1:]


def test_more_steps_of_a_falling_rate_start_over():
    assert affected_stages({"training.steps": (1, 2)}, constant_rate=False)[0] == "train"
