"""What the commands print, and what becomes of errors."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from genaudio.cli import app as cli
from genaudio.core.recipe import load_recipe

Gen = Callable[..., tuple[int, str, str]]
RECIPE = "name: test\ndataset: procedural\nsolver: {type: heun, s_churn: 3}\n"


@pytest.fixture
def gen(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gen:
    """`gen("list")` in an empty folder: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)

    def gen(*arguments: str) -> tuple[int, str, str]:
        try:
            cli.main(arguments)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        out, err = capsys.readouterr()
        return code, out, err

    return gen


def test_version(gen: Gen) -> None:
    assert gen("--version") == (0, f"genaudio {version('genaudio')}\n", "")


def test_list(gen: Gen) -> None:
    code, out, _ = gen("list")
    assert code == 0
    assert "solver  (Integrates from noise to a clip)\n  euler " in out
    assert "network  (" in out
    code, out, _ = gen("list", "solver")
    assert "  heun " in out
    assert "network" not in out


def test_list_as_json(gen: Gen) -> None:
    rows = json.loads(gen("list", "schedule", "--json")[1])
    assert {"kind": "schedule", "name": "karras"}.items() <= rows[0].items()


def test_list_of_an_unknown_kind(gen: Gen) -> None:
    code, out, err = gen("list", "solvers")
    assert (code, out) == (2, "")
    assert "did you mean 'solver'?" in err


def test_describe(gen: Gen) -> None:
    code, out, _ = gen("describe", "noise", "log_normal")
    assert code == 0
    assert out.startswith("noise log_normal  (genaudio.training.noise.log_normal:LogNormal, genaudio ")
    assert "  std: number, above 0; default 1.2\n" in out
    assert "      source: arXiv 2206.00364, Table 1\n" in out


def test_describe_shows_units_and_what_is_required(gen: Gen) -> None:
    out = gen("describe", "dataset", "folder")[1]
    assert "root: text, at least 1 character; required" in out
    assert "sample_rate: integer, at least 1000, at most 192000; default 16000 Hz" in out


def test_describe_as_json(gen: Gen) -> None:
    found = json.loads(gen("describe", "noise", "log_normal", "--json")[1])
    assert found["distribution"] == "genaudio"
    assert [field["name"] for field in found["fields"]] == ["mean", "std"]
    assert found["fields"][1]["default"] == 1.2


def test_describe_of_an_unknown_name(gen: Gen) -> None:
    code, _, err = gen("describe", "solver", "hern")
    assert code == 2
    assert "did you mean 'heun'?" in err


def test_plugins(gen: Gen) -> None:
    code, out, _ = gen("plugins")
    assert code == 0
    assert f"genaudio {version('genaudio')}  (genaudio.plugins.builtin)" in out
    assert "  solver: euler, heun" in out
    assert "solver:heun" in json.loads(gen("plugins", "--json")[1])[0]["components"]


def test_check(gen: Gen) -> None:
    Path("r.yaml").write_text(RECIPE)
    assert gen("check", "r.yaml") == (0, "r.yaml is a valid recipe\n", "")


def test_check_resolved_says_where_each_value_is_from_and_is_itself_a_recipe(gen: Gen) -> None:
    Path("r.yaml").write_text(RECIPE)
    code, out, err = gen("check", "r.yaml", "--resolved", "--set", "solver.s_churn=4", "--set", "schedule=auto")
    assert (code, err) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    assert ["s_churn:", "4.0", "#", "override", "--set", "solver.s_churn=4"] in lines
    assert ["type:", "heun", "#", "recipe", "r.yaml:3:16"] in lines
    assert ["s_noise:", "1.0", "#", "default"] in lines
    Path("resolved.yaml").write_text(out)
    assert load_recipe("resolved.yaml") == load_recipe("r.yaml", ["solver.s_churn=4"])


def test_check_resolved_shows_each_value_of_a_list(gen: Gen) -> None:
    Path("r.yaml").write_text(RECIPE + "guidance: [{type: cfg, scale: 3}, rescale]\n")
    code, out, err = gen("check", "r.yaml", "--resolved", "--set", "guidance.1.phi=0.5")
    assert (code, err) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    assert ["-", "type:", "cfg", "#", "recipe", "r.yaml:4:19"] in lines
    assert ["scale:", "3.0", "#", "recipe", "r.yaml:4:31"] in lines
    assert ["-", "type:", "rescale", "#", "recipe", "r.yaml:4:35"] in lines
    assert ["phi:", "0.5", "#", "override", "--set", "guidance.1.phi=0.5"] in lines
    Path("resolved.yaml").write_text(out)
    assert load_recipe("resolved.yaml") == load_recipe("r.yaml", ["guidance.1.phi=0.5"])


def test_check_as_json(gen: Gen) -> None:
    Path("r.yaml").write_text(RECIPE)
    assert json.loads(gen("check", "r.yaml", "--json")[1]) == load_recipe("r.yaml").to_mapping()


def test_check_says_what_a_changed_type_dropped(gen: Gen) -> None:
    Path("r.yaml").write_text(RECIPE)
    code, _, err = gen("check", "r.yaml", "--set", "solver=euler")
    assert code == 0
    assert err == "solver: heun → euler, so these keys of the recipe were dropped: s_churn\n"


def test_check_of_a_wrong_recipe(gen: Gen) -> None:
    Path("r.yaml").write_text(RECIPE.replace("heun", "hern") + "sed: 1\n")
    code, out, err = gen("check", "r.yaml")
    assert (code, out) == (2, "")
    assert err.startswith("r.yaml:3:16  solver.type\n    given     solver 'hern'\n")
    assert "r.yaml:4:1  sed\n" in err
    assert "Traceback" not in err


def test_debug_shows_the_traceback(gen: Gen) -> None:
    code, _, err = gen("--debug", "check", "absent.yaml")
    assert code == 2
    assert err.startswith("Traceback (most recent call last)")
    assert "absent.yaml does not exist" in err


def test_schema(gen: Gen) -> None:
    code, out, _ = gen("schema")
    assert code == 0
    assert json.loads(out)["properties"]["solver"]["then"]["enum"][:2] == ["euler", "heun"]
    assert gen("schema", "--out", "deep/schema.json")[0] == 0
    assert Path("deep/schema.json").read_text() == out


def test_schema_into_a_place_that_cannot_be_written(gen: Gen) -> None:
    Path("file").write_text("")
    code, _, err = gen("schema", "--out", "file/schema.json")
    assert code == 2
    assert "cannot be written" in err


def test_init_writes_a_valid_recipe_with_the_line_for_editors(gen: Gen) -> None:
    code, out, _ = gen("init", "sounds/my first.yaml")
    assert code == 0
    assert out.startswith("sounds/my first.yaml")
    text = Path("sounds/my first.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=genaudio.schema.json\n")
    recipe = load_recipe("sounds/my first.yaml")
    assert recipe.name == "my-first"
    schema = json.loads(Path("sounds/genaudio.schema.json").read_text())
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.validate(recipe.to_mapping(), schema)


def test_init_never_writes_over_a_recipe_unless_told(gen: Gen) -> None:
    Path("recipe.yaml").write_text("mine\n")
    code, _, err = gen("init")
    assert code == 2
    assert "recipe.yaml exists" in err
    assert Path("recipe.yaml").read_text() == "mine\n"
    assert gen("init", "--force")[0] == 0
    assert load_recipe("recipe.yaml").name == "recipe"


def test_an_unknown_command(gen: Gen) -> None:
    code, _, err = gen("trian")
    assert code == 2
    assert "No such command" in err


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (ZeroDivisionError("division by zero"), 1, "unexpected error: ZeroDivisionError: division by zero"),
        (KeyboardInterrupt(), 130, ""),
        (RuntimeError(), 1, "unexpected error: RuntimeError"),
    ],
)
def test_an_error_of_our_own_is_one_line(
    error: BaseException, code: int, words: str, gen: Gen, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise error

    monkeypatch.setattr("genaudio.core.fields.field_cards", fail)
    result, out, err = gen("describe", "solver", "heun")
    assert (result, out) == (code, "")
    assert words in err
    assert "Traceback" not in err
    if code == 1:
        assert "run with --debug: gen --debug describe solver heun" in err
        assert "Traceback" in gen("--debug", "describe", "solver", "heun")[2]


def test_ctrl_c_while_a_class_is_created_is_no_error(gen: Gen, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("Error calling __set_name__ on '_wrapper' instance") from KeyboardInterrupt()

    monkeypatch.setattr("genaudio.core.fields.field_cards", fail)
    assert gen("describe", "solver", "heun") == (130, "", "interrupted\n")


def test_a_full_disk_says_what_to_do(gen: Gen, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "runs/a/metrics.jsonl")

    monkeypatch.setattr("genaudio.core.fields.field_cards", fail)
    code, _, err = gen("describe", "solver", "heun")
    assert code == 2
    assert err.startswith("runs/a/metrics.jsonl: No space left on device\n    mend      free some space")


def start(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from genaudio.cli.app import main; main()", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **variables}, check=False)


def test_a_closed_pipe_is_no_error() -> None:
    code = "from genaudio.cli.app import main; main(['list'])"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        error = process.stderr.read().decode()
    assert "Traceback" not in error


def test_a_plugin_that_exits_at_import_does_not_end_gen(tmp_path: Path) -> None:
    (tmp_path / "fake_quitter.py").write_text("raise SystemExit(3)\n")
    info = tmp_path / "quitter-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: quitter\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[genaudio.v1]\nquitter = fake_quitter\n")
    result = start("plugins", PYTHONPATH=str(tmp_path), GENAUDIO_PLUGINS="quitter")
    assert result.returncode == 0
    assert "quitter 1.0  (quitter = fake_quitter)\n  not loaded\n    SystemExit: 3\n" in result.stdout
    result = start("list", "solver", PYTHONPATH=str(tmp_path), GENAUDIO_PLUGINS="quitter")
    assert "  heun " in result.stdout
    assert result.stderr == "not loaded: quitter; see `gen plugins`\n"


@pytest.mark.parametrize(
    "arguments", [["--help"], ["list"], ["plugins"], ["--version"], ["run", "--help"]], ids=" ".join
)
def test_start_up_imports_nothing_heavy(arguments: list[str]) -> None:
    heavy = "{'torch', 'torchaudio', 'numpy', 'scipy', 'matplotlib', 'soundfile', 'soxr', 'jinja2', 'rich', 'ruamel'}"
    code = (
        "import sys\nfrom genaudio.cli.app import main\n"
        f"try:\n    main({arguments!r})\nexcept SystemExit:\n    pass\n"
        f"print(*sorted({heavy} & set(sys.modules)), file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout
    assert result.stderr.strip() == ""
