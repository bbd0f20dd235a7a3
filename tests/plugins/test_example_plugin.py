"""The example of a third-party plugin: discovered, described, used by its recipe, and conforming."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "acme_solvers"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment in which the example is installed: its folder and its metadata are on the path."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    info = tmp_path / f"acme_solvers-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    points = project["entry-points"]["genaudio.v1"]
    lines = "\n".join(f"{name} = {value}" for name, value in points.items())
    (info / "entry_points.txt").write_text(f"[genaudio.v1]\n{lines}\n")
    path = os.pathsep.join([str(tmp_path), str(EXAMPLE), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    return {**os.environ, "PYTHONPATH": path, "GENAUDIO_PLUGINS": "acme-solvers", "PYTHONDONTWRITEBYTECODE": "1"}


def python(environment: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, *arguments]
    result = subprocess.run(command, env=environment, cwd=EXAMPLE, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_the_example_is_discovered_described_and_named_by_its_recipe(environment: dict[str, str]) -> None:
    commands = [["plugins"], ["describe", "solver", "acme/two_stage"], ["check", "recipe.yaml", "--resolved"]]
    code = f"""
from genaudio.cli.app import main
for command in {commands!r}:
    try:
        main(command)
    except SystemExit as end:
        assert not end.code, command
"""
    text = python(environment, "-c", code)
    assert "acme-solvers 0.1.0  (acme_solvers = acme_solvers)\n  solver: acme/two_stage\n" in text
    assert "solver acme/two_stage  (acme_solvers.two_stage:TwoStage, acme-solvers 0.1.0)" in text
    assert "alpha: number, above 0, below 1; default 0.5" in text
    assert "  type: acme/two_stage" in text
    assert "  alpha: 0.6666666666666666" in text


def test_its_own_tests_pass(environment: dict[str, str]) -> None:
    options = ["-q", "-p", "no:cacheprovider", "--import-mode=importlib", "-c", os.devnull, "--rootdir", str(EXAMPLE)]
    assert "passed" in python(environment, "-m", "pytest", *options, "tests")
