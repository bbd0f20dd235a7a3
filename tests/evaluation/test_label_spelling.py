from __future__ import annotations

from genaudio.evaluation.label_spelling import nothing_in_common, spelled_as


def test_classes_are_matched_by_their_words() -> None:
    classes = ("dog_bark", "rain", "7", "Sea waves")
    given = ("001 - Dog bark", "RAIN", "7", None, "sea_waves", "cat", "007 - 7")
    assert spelled_as(given, classes) == ("dog_bark", "rain", "7", None, "Sea waves", "cat", "007 - 7")


def test_an_ambiguous_or_exact_spelling_is_left_alone() -> None:
    assert spelled_as(("A B", "a_b"), ("a b", "a-b")) == ("A B", "a_b")
    assert spelled_as(("a_b",), ("a_b", "A B")) == ("a_b",)


def test_sets_that_share_a_class_or_have_none_have_nothing_to_be_told_of() -> None:
    assert nothing_in_common(("a", "b"), ("b", "c"), "training") == ""
    assert nothing_in_common((), ("b",), "training") == nothing_in_common(("a",), (), "training") == ""
    assert "generated clips are of a, b; training clips of c." in nothing_in_common(("a", "b"), ("c",), "training")
