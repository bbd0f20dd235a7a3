from __future__ import annotations

import io

import numpy as np
from PIL import Image

from genaudio.reports.sampler_plot import Line, Panel, png

LINES = [
    Line("euler", "karras", [5, 10], [0.5, 0.2]),
    Line("euler", "tuned", [5, 10], [0.3, 0.1]),
    Line("heun", "karras", [9], [0.4]),
]


def picture(panels: list[Panel]) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png(panels, [5, 10]))).convert("RGB"))


def colours(image: np.ndarray) -> set[tuple[int, int, int]]:
    return {tuple(int(value) for value in pixel) for pixel in image.reshape(-1, 3)}


BLUE, ORANGE = (31, 119, 180), (255, 127, 14)  # the first two of tab10


def test_a_solver_has_its_colour_and_a_panel_its_width() -> None:
    one = picture([Panel("error", LINES)])
    assert {BLUE, ORANGE} <= colours(one)
    assert ORANGE not in colours(picture([Panel("error", LINES[:2])]))
    two = picture([Panel("error", LINES), Panel("fad", LINES, 0.3, (0.0, 0.4))])
    assert two.shape[1] == 2 * one.shape[1]


def test_equal_panels_give_equal_bytes() -> None:
    assert png([Panel("error", LINES)], [5, 10]) == png([Panel("error", LINES)], [5, 10])


def test_a_panel_without_lines_is_drawn_empty() -> None:
    assert picture([Panel("error", [])]).ndim == 3
