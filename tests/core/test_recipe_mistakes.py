"""Mistakes in recipes: where each is reported, and in which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from genaudio.core.errors import RecipeError
from genaudio.core.recipe import open_recipe, recipe_from_mapping

HEAD = "name: test\ndataset: procedural\n"  # two lines: whatever follows begins on line 3

# id, text of the recipe, place (line:column, then path), words that the message must hold
MISTAKES = [
    ("empty file", "", "", ["an empty file", "gen init"]),
    ("only a comment", "# nothing\n", "", ["an empty file"]),
    ("a list", "- a\n- b\n", ":1:1", ["a list", "a mapping"]),
    ("a single value", "hello\n", ":1:1", ["a single value", "a mapping"]),
    ("two documents", HEAD + "---\nname: b\n", ":3:1", ["another document", "one recipe"]),
    ("tab for indentation", HEAD + "training:\n\tsteps: 3\n", ":4:1", ["indent with spaces"]),
    ("unclosed quote", 'name: "test\n', ":1:7", ["end of stream", "close this quote"]),
    ("unclosed bracket", HEAD + "sampling: {nfe: 3\n", ":3:11", ["close this quote or bracket"]),
    ("colon in a text", "name: a: b\n", ":1:8", ["mapping values are not allowed", "quote a text"]),
    ("unknown alias", HEAD + "seed: *other\n", ":3:7", ["undefined alias", "must be quoted"]),
    ("alias within itself", HEAD + "training: &t {steps: *t}\n", ":3:11", ["contains itself"]),
    ("duplicate key", HEAD + "seed: 1\nseed: 2\n", ":4:1  seed", ["the key 'seed' twice", "recipe.yaml:3:1"]),
    ("nested duplicate", HEAD + "training: {steps: 1, steps: 2}\n", ":3:22  training.steps", ["the key 'steps' twice"]),
    ("tag", HEAD + "seed: !!python/name:os.system x\n", ":3:7  seed", ["the tag !!python/name:os.system"]),
    ("number as key", HEAD + "1: 2\n", ":3:1", ["the key '1'", "a text as key"]),
    ("list as key", HEAD + "[a]: 2\n", ":3:1", ["a list or mapping", "a text as key"]),
    ("merge of no mapping", HEAD + "training: {<<: 3}\n", ":3:16  training", ["a merge key '<<' without a mapping"]),
    ("no name", "dataset: procedural\n", ":1:1  name", ["nothing", "add the key 'name'"]),
    ("no dataset", "name: test\n", ":1:1  dataset", ["nothing", "one of procedural, folder"]),
    ("name with a slash", "name: a/b\ndataset: procedural\n", ":1:7  name", ["'a/b'", "letters, digits"]),
    ("name that leaves the folder", "name: ..\ndataset: procedural\n", ":1:7  name", ["'..'"]),
    ("number as name", "name: 5\ndataset: procedural\n", ":1:7  name", ["given     5", "quote it: '5'"]),
    ("newer format", HEAD + "version: 2\n", ":3:10  version", ["given     2", "upgrade genaudio"]),
    ("unknown device", HEAD + "device: gpu\n", ":3:9  device", ["'gpu'", "auto, cpu, cuda, cuda:N or mps"]),
    ("negative seed", HEAD + "seed: -1\n", ":3:7  seed", ["given     -1", "at least 0"]),
    ("misspelt block", HEAD + "solvr: heun\n", ":3:1  solvr", ["the unknown key 'solvr'", "did you mean 'solver'?"]),
    ("key outside its block", HEAD + "batch_size: 3\n", ":3:1  batch_size", ["it belongs under training"]),
    ("unknown type", HEAD + "solver:\n  type: hern\n", ":4:9  solver.type", ["solver 'hern'", "did you mean 'heun'?"]),
    ("unknown bare name", HEAD + "solver: hern\n", ":3:9  solver", ["solver 'hern'", "one of euler, heun"]),
    ("no type", HEAD + "solver: {s_churn: 1}\n", ":3:1  solver.type", ["nothing", "write solver: {type: …}"]),
    ("type is a number", HEAD + "solver: {type: 3}\n", ":3:16  solver.type", ["given     3", "one of euler"]),
    ("block is a list", HEAD + "solver: [heun]\n", ":3:9  solver", ["[heun]", "a mapping with 'type'"]),
    ("block is empty", HEAD + "solver:\n", ":3:1  solver", ["null", "a mapping with 'type'"]),
    ("none for null", HEAD + "guidance: none\n", ":3:11  guidance", ["for no guidance, write null"]),
    ("plugin not installed", HEAD + "solver: acme/x\n", ":3:9  solver", ["install the plugin that provides 'acme/…'"]),
    ("misspelt field", HEAD + "solver: {type: heun, s_chrn: 1}\n", ":3:22  solver.s_chrn", ["did you mean 's_churn'?"]),
    ("field of another type", HEAD + "solver: {type: euler, order: 2}\n", ":3:23  solver.order", ["the unknown key"]),
    ("below its bound", HEAD + "noise: {type: log_normal, std: 0}\n", ":3:32  noise.std", ["given     0", "above 0"]),
    ("text for a number", HEAD + "noise: {type: log_normal, std: big}\n", ":3:32  noise.std", ["'big'", "number"]),
    ("quoted number", HEAD + "training: {steps: '5'}\n", ":3:19  training.steps", ["without quotes"]),
    ("underscored number", HEAD + "training: {steps: 1_000}\n", ":3:19  training.steps", ["write 1000"]),
    (
        "number with its unit",
        HEAD + "training: {steps: 5 steps}\n",
        ":3:19  training.steps",
        ["write the number alone"],
    ),
    ("fraction of a step", HEAD + "training: {steps: 0.5}\n", ":3:19  training.steps", ["given     0.5", "integer"]),
    ("float for an integer", HEAD + "training: {steps: 10.0}\n", ":3:19  training.steps", ["write 10"]),
    (
        "boolean for a number",
        HEAD + "training: {steps: true}\n",
        ":3:19  training.steps",
        ["given     true", "integer"],
    ),
    ("null for a number", HEAD + "training: {steps: null}\n", ":3:19  training.steps", ["take the default, 10000"]),
    ("infinity", HEAD + "training: {learning_rate: .inf}\n", ":3:27  training.learning_rate", ["given     .inf"]),
    ("not a number", HEAD + "training: {learning_rate: .nan}\n", ":3:27  training.learning_rate", ["given     .nan"]),
    ("yes for true", HEAD + "training: {compile: yes}\n", ":3:21  training.compile", ["'yes'", "write true"]),
    ("off for false", HEAD + "training: {compile: off}\n", ":3:21  training.compile", ["'off'", "write false"]),
    ("none of a field", HEAD + "sampling: {nfe: none}\n", ":3:17  sampling.nfe", ["for nothing, write null"]),
    ("misspelt choice", HEAD + "training: {decay: cosin}\n", ":3:19  training.decay", ["did you mean 'cosine'?"]),
    ("no such choice", HEAD + "sampling: {bit_depth: 12}\n", ":3:23  sampling.bit_depth", ["given     12", "16 or 24"]),
    ("value for a list", HEAD + "sampling: {labels: dog}\n", ":3:20  sampling.labels", ["write [dog]"]),
    (
        "wrong item",
        HEAD + "sampling: {labels: [dog, 3]}\n",
        ":3:26  sampling.labels.1",
        ["the item 3", "list of texts"],
    ),
    ("value for settings", HEAD + "training: 3\n", ":3:11  training", ["given     3", "a mapping with the keys steps"]),
    ("two budgets", HEAD + "sampling: {nfe: 3, num_steps: 4}\n", ":3:11  sampling", ["nfe or as num_steps, not both"]),
    (
        "labels twice",
        HEAD + "sampling: {labels: [rain, bird, rain]}\n",
        ":3:20  sampling.labels",
        ["'rain' more than once"],
    ),
    (
        "labels without conditioner",
        HEAD + "conditioner: null\nsampling: {labels: [rain]}\n",
        ":4:20  sampling.labels",
        ["labels, while conditioner is null"],
    ),
    (
        "guidance without conditioner",
        HEAD + "conditioner: null\nguidance: cfg\n",
        ":4:11  guidance",
        ["guidance, while conditioner is null", "set a conditioner such as label"],
    ),
    (
        "guidance without dropout",
        HEAD + "conditioner: {type: label, dropout: 0.0}\nguidance: cfg\n",
        ":3:37  conditioner.dropout",
        ["0, while guidance is set", "set conditioner.dropout to 0.1"],
    ),
    (
        "label of no class",
        HEAD + "sampling: {labels: [rian]}\n",
        ":3:20  sampling.labels",
        ["'rian'", "some of bird, engine", "did you mean 'rain'?"],
    ),
    (
        "shape that the network refuses",
        HEAD + "representation: {type: complex_stft, n_fft: 254, time_multiple: 5}\nnetwork: {type: efficient_unet}\n",
        ":3:17  representation",
        ["frames", "a multiple of 16", "set representation.time_multiple: 16"],
    ),
    (
        "sigma_min above sigma_max",
        HEAD + "preconditioner: {type: edm, sigma_min: 3, sigma_max: 2}\n",
        ":3:40  preconditioner.sigma_min",
        ["3, with sigma_max 2", "sigma_min below sigma_max"],
    ),
]


@pytest.mark.parametrize(("text", "place", "words"), [m[1:] for m in MISTAKES], ids=[m[0] for m in MISTAKES])
def test_a_mistake_is_reported_where_it_is_and_in_clear_words(
    text: str, place: str, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("recipe.yaml").write_text(text)
    with pytest.raises(RecipeError) as caught:
        open_recipe("recipe.yaml")
    message = str(caught.value)
    assert message.startswith(f"recipe.yaml{place}"), message
    assert len(caught.value.problems) == 1, message
    for word in words:
        assert word in message
    assert "Traceback" not in message
    assert "pydantic" not in message


# overrides, given on top of HEAD
OVERRIDES = [
    ("no equals sign", ["solver"], "--set solver", ["no '='", "a.b.c=value"]),
    ("empty path", ["=3"], "--set =3", ["the path ''"]),
    ("empty segment", ["solver..order=3"], "--set solver..order=3", ["the path 'solver..order'"]),
    ("no value", ["seed="], "--set seed=", ["no value", "write null for nothing"]),
    ("value is no YAML", ["seed=[1"], "--set seed=[1", ["expected ", "YAML 1.2"]),
    ("value with a tag", ["seed=!!set {a}"], "--set seed=!!set {a}", ["the tag !!set"]),
    ("unknown key", ["sed=3"], "--set sed=3  sed", ["did you mean 'seed'?"]),
    ("bad value", ["training.steps=x"], "--set training.steps=x  training.steps", ["'x'", "integer"]),
    ("key below a value", ["seed.x=3"], "--set seed.x=3  seed", ["{x: 3}", "integer"]),
    ("index that is not there", ["network.multipliers.7=3"], "--set network.multipliers.7=3", ["is not in the recipe"]),
    ("field of a null block", ["guidance.scale=3"], "--set guidance.scale=3", ["choose its type", "guidance=NAME"]),
    ("unknown type", ["solver=hern"], "--set solver=hern  solver.type", ["did you mean 'heun'?"]),
    ("block to null", ["solver=null"], "--set solver=null  solver", ["given     null", "a mapping with 'type'"]),
]


@pytest.mark.parametrize(("overrides", "place", "words"), [o[1:] for o in OVERRIDES], ids=[o[0] for o in OVERRIDES])
def test_a_mistaken_override_is_shown_as_it_was_given(overrides: list[str], place: str, words: list[str]) -> None:
    with pytest.raises(RecipeError) as caught:
        recipe_from_mapping({"name": "test", "dataset": "procedural"}, overrides)
    message = str(caught.value)
    assert message.startswith(place), message
    for word in words:
        assert word in message


FILES = [
    ("a folder", None, ["is a folder"]),
    ("UTF-16", "name: test".encode("utf-16"), ["UTF-16", "save it again as UTF-8"]),
    ("Latin-1", b"name: test\n# caf\xe9\n", [":2:6", "0xe9", "UTF-8"]),
    ("binary", b"RIFF\0\0\0\0WAVE", ["is a binary file"]),
    ("control character", b"name: te\x07st\n", [":1:9", "a control character"]),
    ("too large", b"#" * 200_001, ["200001 bytes"]),
    ("too deep", b"a: " + b"[" * 3000, ["nested too deeply"]),
    ("deep in block style", b"- " * 5000, ["nested too deeply"]),
    ("deep", b"a: " + b"[" * 60 + b"]" * 60, ["nested too deeply"]),
    (
        "alias bomb",
        b"a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
        b"d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d,*d,*d]\n",
        ["more than 20000 values after aliases are unfolded"],
    ),
]


@pytest.mark.parametrize(("content", "words"), [f[1:] for f in FILES], ids=[f[0] for f in FILES])
def test_a_file_that_is_no_recipe_is_refused_with_its_reason(
    content: bytes | None, words: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "recipe.yaml"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(RecipeError) as caught:
        open_recipe(path)
    for word in words:
        assert word in str(caught.value)


def test_an_absent_file_names_the_recipes_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text(HEAD)
    with pytest.raises(RecipeError, match="does not exist") as caught:
        open_recipe(tmp_path / "recipe.yaml")
    assert "other.yaml" in str(caught.value)


def test_all_problems_are_reported_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(
        "name: te st\n"
        "seed: x\n"
        "seed: 3\n"
        "dataset: procedural\n"
        "solver: {type: hern}\n"
        "preconditioner: {type: edm, sigma_min: 3, sigma_max: 2}\n"
        "training: {stepz: 3, steps: 0, batch_size: yes}\n"
    )
    with pytest.raises(RecipeError) as caught:
        open_recipe(path, ["noise.std=-1", "nonsense"])
    places = [problem.position.line for problem in caught.value.problems if problem.position]
    paths = [problem.path for problem in caught.value.problems]
    assert places[:8] == [1, 2, 3, 5, 6, 7, 7, 7]
    assert paths[:8] == [
        "name",
        "seed",
        "seed",
        "solver.type",
        "preconditioner.sigma_min",
        "training.stepz",
        "training.steps",
        "training.batch_size",
    ]
    assert sorted(str(problem.position) for problem in caught.value.problems[8:]) == [
        "--set noise.std=-1",
        "--set nonsense",
    ]
