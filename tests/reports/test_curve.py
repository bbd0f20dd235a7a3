from __future__ import annotations

import math

import numpy as np
import pytest

from genaudio.reports.curve import curve, smoothed


def rows(values: list[object], every: int = 10) -> list[dict[str, object]]:
    return [{"step": every * index, "loss": value} for index, value in enumerate(values)]


def points(text: str) -> np.ndarray:
    return np.array([pair.split(",") for pair in text.split()], dtype=float)


def test_a_straight_line_spans_the_width_and_falls_on_the_page_as_it_rises() -> None:
    found = curve(rows([1.0, 2.0, 3.0]), "loss", width=100, height=50)
    assert found is not None
    drawn = points(found.raw)
    np.testing.assert_allclose(drawn[:, 0], [0, 50, 100])
    assert np.all(np.diff(drawn[:, 1]) < 0)
    assert np.all((drawn[:, 1] >= 0) & (drawn[:, 1] <= 50))
    assert (found.first, found.last, found.steps, found.logarithmic) == (1.0, 3.0, 20, False)


def test_an_exponential_is_a_straight_line_on_its_logarithmic_axis() -> None:
    found = curve(rows([math.exp(-0.1 * step) for step in range(51)]), "loss", width=100, height=1000)
    assert found is not None
    assert found.logarithmic
    np.testing.assert_allclose(np.diff(points(found.raw)[:, 1]), np.diff(points(found.raw)[:, 1]).mean(), atol=0.11)
    assert [mark.text for mark in found.y_marks] == ["0.01", "0.02", "0.05", "0.1", "0.2", "0.5", "1"]


def test_marks_lie_where_their_values_are() -> None:
    found = curve(rows([0.0, 10.0]), "loss", width=100, height=50)
    assert found is not None
    height = dict(zip((mark.text for mark in found.y_marks), (mark.at for mark in found.y_marks), strict=True))
    raw = points(found.raw)
    assert height["0"] == pytest.approx(raw[0, 1], abs=0.1)
    assert height["10"] == pytest.approx(raw[1, 1], abs=0.1)
    assert [(mark.text, mark.at) for mark in found.x_marks][:2] == [("0", 0.0), ("2", 20.0)]


def test_smoothing_keeps_constants_and_lines_and_shrinks_noise() -> None:
    np.testing.assert_allclose(smoothed(np.full(300, 3.0)), 3.0)
    line = np.arange(300.0)
    np.testing.assert_allclose(smoothed(line)[50:-50], line[50:-50])
    noise = np.random.default_rng(0).standard_normal(3000)
    # A Gaussian average of deviation s lowers white noise to 1 / sqrt(2 sqrt(pi) s); here s = 3000 / 60.
    assert smoothed(noise).std() == pytest.approx(1 / math.sqrt(2 * math.sqrt(math.pi) * 50), rel=0.35)


def test_a_long_course_keeps_its_spike() -> None:
    values: list[object] = [1.0] * 5000
    values[3210] = 2.0
    found = curve(rows(values), "loss", height=100)
    assert found is not None
    drawn = points(found.raw)
    assert len(drawn) <= 700
    assert drawn[drawn[:, 1].argmin(), 0] == pytest.approx(found.width * 3210 / 4999, abs=0.1)


def test_what_cannot_be_drawn_is_left_out() -> None:
    assert curve([], "loss") is None
    assert curve(rows([1.0]), "loss") is None
    assert curve([{"step": 1}, {"step": 2}], "loss") is None
    found = curve(rows([1.0, math.nan, None, math.inf, 2.0]), "loss", width=100)
    assert found is not None
    np.testing.assert_allclose(points(found.raw)[:, 0], [0, 100])


def test_a_constant_has_an_axis_too() -> None:
    for value in (0.0, 5.0, -1.0):
        found = curve(rows([value, value]), "loss", height=100)
        assert found is not None
        assert np.all((points(found.raw)[:, 1] >= 0) & (points(found.raw)[:, 1] <= 100))
