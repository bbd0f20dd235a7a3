from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from genaudio.audit.result import AuditedClip, AuditResult, Match, Span
from genaudio.reports.audit_page import AuditPage, Offender, render, write_audit_page

RATE = 8000


def noise(seconds: float, seed: int) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal((1, round(RATE * seconds)))


@pytest.fixture
def page() -> AuditPage:
    """A generated clip of 4 s: its first half is seconds 1 to 3 of one clip, its second half 0 to 2 of another."""
    matches = (
        Match("train/<a>.wav", 0.95, (Span(0, 2, 1, 3, 0.95),)),
        Match("train/b.wav", 0.90, (Span(2, 4, 0, 2, 0.9),)),
    )
    copy = AuditedClip("generated/copy.wav", "rain", "stitching copy", 0.95, 0.8, matches, ("a", "b"))
    new = AuditedClip("generated/new.wav", None, "new", 0.3, 0.8, (Match("train/b.wav", 0.3),))
    offender = Offender(copy, noise(4, 0), [(match, noise(5, seed)) for seed, match in enumerate(matches, 1)])
    return AuditPage("sounds", RATE, AuditResult((copy, new)), [offender], notes=["a note"])


def places(text: str, kind: str) -> list[tuple[float, float]]:
    """Left end and width, in percent, of every element of a class."""
    found = re.findall(rf'class="{kind}" style="left:([\d.]+)%;width:([\d.]+)%', text)
    return [(float(left), float(width)) for left, width in found]


def test_a_section_lays_its_clips_on_one_time_axis_best_spans_below_what_they_match(page: AuditPage) -> None:
    # The first training clip begins 1 s before the generated one, the second 2 s after it and ends last: 8 s in all.
    assert places(render(page), "view") == [(12.5, 50.0), (0.0, 62.5), (37.5, 62.5)]


def test_spans_are_marked_on_both_sides_with_the_number_of_the_training_clip(page: AuditPage) -> None:
    text = render(page)
    assert places(text, "span") == [(0.0, 50.0), (50.0, 50.0), (20.0, 40.0), (0.0, 40.0)]
    assert "0.00 to 2.00 s of the generated clip are 1.00 to 3.00 s of training 1, score 0.950" in text
    assert re.findall(r"<b style=[^>]*>(\d)</b>", text) == ["1", "2", "1", "2"]


def test_a_span_that_reaches_past_its_clip_is_cut_at_the_end(page: AuditPage) -> None:
    match = Match("t.wav", 0.9, (Span(3, 6, -1, 2, 0.9),))
    clip = AuditedClip("g.wav", None, "exact copy", 0.9, 0.5, (match,))
    text = render(AuditPage("x", RATE, AuditResult((clip,)), [Offender(clip, noise(4, 0), [(match, noise(4, 1))])]))
    assert places(text, "span") == [(75.0, 25.0), (0.0, 50.0)]


def test_every_clip_has_a_player_and_names_are_escaped(page: AuditPage) -> None:
    text = render(page)
    assert text.count("<audio") == 3
    assert "train/&lt;a&gt;.wav" in text
    assert "train/<a>.wav" not in text


def test_verdicts_are_counted_and_every_clip_is_listed(page: AuditPage) -> None:
    text = render(page)
    tiles = dict(re.findall(r'class="tile"><dt>([^<]+)</dt><dd>([^<]+)</dd>', text))
    assert tiles == {"Clips audited": "2", "Exact copies": "0", "Stitching copies": "1", "New": "1"}
    assert "<td>generated/new.wav</td><td>–</td><td>new</td>" in text


def test_the_page_asks_nothing_of_the_network_and_is_written_whole(page: AuditPage, tmp_path: Path) -> None:
    write_audit_page(tmp_path / "audit.html", page)
    text = (tmp_path / "audit.html").read_text(encoding="utf-8")
    assert re.findall(r'(?:src|href)="(?!data:|#)', text) == []
    assert "default-src 'none'" in text
    assert text.rstrip().endswith("</html>")


def test_an_audit_without_clips_says_so() -> None:
    assert "No clips." in render(AuditPage("empty", RATE, AuditResult(()), []))
