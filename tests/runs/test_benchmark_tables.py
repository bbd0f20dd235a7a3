"""Tables, CSV and recommendation of results whose numbers are made up."""

from __future__ import annotations

import csv
import io
import json

import pytest

from genaudio.runs.benchmark_tables import csv_text, panels, recommendation, text, write_results


def row(solver: str, nfe: int, error: float | None, fad: float | None, note: str | None = None) -> dict:
    return {
        "solver": solver,
        "schedule": "karras",
        "nfe": nfe,
        "num_steps": nfe,
        "evaluations": nfe,
        "error_rms": error,
        "error_median": error and error / 2,
        "log_spectral_distance_db": error and 10 * error,
        "metrics": {} if fad is None else {"fad": {"value": fad, "interval": [fad - 1, fad + 1]}},
        "note": note,
    }


@pytest.fixture
def results() -> dict:
    found = {
        "reference": {"metrics": {"fad": {"value": 10.0, "interval": [8.0, 12.0]}}},
        "notes": ["something is missing"],
        "cells": [
            row("euler", 5, 0.8, 20.0),
            row("euler", 10, 0.4, 10.4),
            row("euler", 20, 0.2, 10.1),
            row("heun", 5, None, None, "nfe is 5, expected more"),
            row("heun", 10, 0.3, 10.2),
            row("heun", 20, 0.05, 11.0),
            row("churn", 5, None, 9.0, "it draws fresh noise"),
            row("churn", 10, None, 9.7, "it draws fresh noise"),
            row("churn", 20, None, 10.0, "it draws fresh noise"),
        ],
    }
    return found | {"recommendation": recommendation(found, 0.05)}


def test_the_best_pair_of_a_budget_has_the_least_error(results):
    best = results["recommendation"]["best"]
    assert {nfe: entry["solver"] for nfe, entry in best.items()} == {"5": "euler", "10": "heun", "20": "heun"}


def test_the_smallest_budget_is_one_from_which_on_the_metric_stays_near(results):
    """Heun is near at 10 and off again at 20; of the others euler has an error to compare by."""
    assert results["recommendation"]["smallest_nfe"]["fad"] == {
        "nfe": 10,
        "solver": "euler",
        "schedule": "karras",
        "value": 10.4,
    }
    assert recommendation(results, 0.2)["smallest_nfe"]["fad"]["solver"] == "churn"
    assert recommendation(results, 0.0)["smallest_nfe"]["fad"] == {
        "nfe": 20,
        "solver": "churn",
        "schedule": "karras",
        "value": 10.0,
    }
    results["reference"]["metrics"]["fad"]["value"] = 50.0
    assert recommendation(results, 0.05)["smallest_nfe"]["fad"] is None


def test_the_text_has_a_table_a_number_and_every_note(results):
    shown = text(results)
    assert "fad; of the reference 10 (8 to 12)" in shown
    lines = shown.splitlines()
    first = lines.index("relative RMS error of x")
    assert lines[first + 1].split() == ["nfe", "5", "10", "20"]
    assert lines[first + 2].split() == ["euler,", "karras", "0.8000", "0.4000", "0.2000"]
    assert lines[first + 3].split() == ["heun,", "karras", "-", "0.3000", "0.0500"]
    assert "note: something is missing" in lines
    assert "note: heun, karras, nfe 5: nfe is 5, expected more" in lines
    assert "  nfe 20: heun on karras (error 0.0500)" in lines
    assert "  within 5 % of the reference's fad: nfe 10 with euler on karras" in lines


def test_the_csv_has_a_line_a_cell_with_the_same_numbers(results):
    rows = list(csv.DictReader(io.StringIO(csv_text(results))))
    assert len(rows) == len(results["cells"])
    assert float(rows[1]["error_rms"]) == 0.4
    assert [rows[1][name] for name in ("fad", "fad_low", "fad_high")] == ["10.4", "9.4", "11.4"]
    assert (rows[3]["error_rms"], rows[3]["fad"], rows[3]["note"]) == ("", "", "nfe is 5, expected more")


def test_what_is_drawn_is_what_there_is(results):
    errors, fad = panels(results)
    assert [(line.solver, list(line.budgets), list(line.values)) for line in errors.lines] == [
        ("euler", [5, 10, 20], [0.8, 0.4, 0.2]),
        ("heun", [10, 20], [0.3, 0.05]),
    ]
    assert [line.solver for line in fad.lines] == ["euler", "heun", "churn"]
    assert (fad.reference, fad.interval) == (10.0, (8.0, 12.0))


def test_the_files_are_written(results, tmp_path):
    write_results(results, tmp_path)
    assert json.loads((tmp_path / "results.json").read_text()) == results
    assert (tmp_path / "results.csv").read_text() == csv_text(results)
    assert (tmp_path / "samplers.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results.csv", "results.json", "samplers.png"]
