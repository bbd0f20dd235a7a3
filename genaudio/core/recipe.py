"""The recipe: one validated, frozen document that says everything about a run.

A block is `{type: name, …fields}`, or the bare name for a component with its defaults; guidance and metric may be a
list of those. What a recipe leaves out takes the defaults below; dataset and name have none. `noise: auto` is what the
preconditioner was published with.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import SerializeAsAny, ValidationError, ValidationInfo, field_validator

from genaudio.core.audit_settings import AuditSettings
from genaudio.core.component import Component, Settings, parameter
from genaudio.core.errors import GenaudioError, Position, Problem, RecipeError
from genaudio.core.overrides import Overridden, apply_overrides
from genaudio.core.recipe_blocks import (
    AUTO,
    AUTO_BLOCKS,
    BLOCKS,
    LIST_BLOCKS,
    OPTIONAL_BLOCKS,
    build_component,
    build_components,
    installed_registry,
    is_auto,
    published_noise,
)
from genaudio.core.recipe_checks import cross_block_problems
from genaudio.core.registry import KINDS, Registry
from genaudio.core.settings import (
    EvaluationSettings,
    ReportSettings,
    SamplingSettings,
    TrainingSettings,
)
from genaudio.core.validation import NOTHING, UNKNOWN_KEY, ClassOfBlock, problems_of
from genaudio.core.yaml_positions import Document, read_yaml

if TYPE_CHECKING:  # for type checkers alone: at run time a block is any component of its kind, checked by the registry
    from genaudio.datasets.base import Dataset
    from genaudio.evaluation.embeddings.base import Embedding
    from genaudio.evaluation.metrics.base import Metric
    from genaudio.networks.base import Network
    from genaudio.networks.conditioners.base import Conditioner
    from genaudio.preconditioners.base import Preconditioner
    from genaudio.representations.base import Representation
    from genaudio.samplers.base import Solver
    from genaudio.samplers.guidance.base import Guidance
    from genaudio.samplers.schedules.base import Schedule
    from genaudio.training.noise.base import NoiseDistribution
else:
    Dataset = Representation = Network = Conditioner = Preconditioner = SerializeAsAny[Component]
    NoiseDistribution = Schedule = Solver = Guidance = Embedding = Metric = SerializeAsAny[Component]

FORMAT_VERSION = 1
SETTINGS_BLOCKS = ("training", "sampling", "evaluation", "audit", "report")

_log = logging.getLogger("genaudio")


class Recipe(Settings):
    """Everything that a run depends on. Components are instances of their classes, checked and frozen."""

    version: Literal[1] = parameter(1, description="Version of the recipe format")
    name: str = parameter(
        description="Name of the recipe; letters, digits, '.', '_' and '-', as it may name files",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        max_length=100,
    )
    seed: int = parameter(0, ge=0, lt=2**63, description="Seed that all randomness of the run derives from")
    device: str = parameter(
        "auto",
        description="Where to compute: auto, cpu, cuda, cuda:N or mps; auto takes the best there is",
        pattern=r"^(auto|cpu|cuda(:[0-9]{1,3})?|mps)$",
    )
    dataset: Dataset = parameter(description=KINDS["dataset"].summary)
    representation: Representation = parameter("complex_stft", description=KINDS["representation"].summary)
    network: Network = parameter("efficient_unet", description=KINDS["network"].summary)
    conditioner: Conditioner | None = parameter("label", description=KINDS["conditioner"].summary)
    preconditioner: Preconditioner = parameter("edm", description=KINDS["preconditioner"].summary)
    noise: NoiseDistribution = parameter(
        AUTO, description=f"{KINDS['noise'].summary}; auto: the one that the preconditioner was published with"
    )
    schedule: Schedule = parameter("auto", description=KINDS["schedule"].summary)
    solver: Solver = parameter("auto", description=KINDS["solver"].summary)
    guidance: Guidance | tuple[Guidance, ...] | None = parameter(None, description=KINDS["guidance"].summary)
    embedding: Embedding = parameter("classifier", description=KINDS["embedding"].summary)
    metric: Metric | tuple[Metric, ...] | None = parameter(
        ("fad", "kad"), description=f"{KINDS['metric'].summary}; null: nothing is evaluated"
    )
    training: TrainingSettings = parameter(TrainingSettings(), description="How the model is trained")
    sampling: SamplingSettings = parameter(SamplingSettings(), description="How clips are generated")
    evaluation: EvaluationSettings = parameter(
        EvaluationSettings(), description="What generated clips are measured against, and when"
    )
    audit: AuditSettings = parameter(AuditSettings(), description="How generated clips are searched for copies")
    report: ReportSettings = parameter(ReportSettings(), description="What the report shows")

    @field_validator(*BLOCKS, mode="wrap")
    @classmethod
    def _component(cls, value: Any, handler: Any, info: ValidationInfo) -> Component | tuple[Component, ...] | None:
        kind = str(info.field_name)
        block: Component | tuple[Component, ...] | None
        if kind in AUTO_BLOCKS and is_auto(value):
            preconditioner = info.data.get("preconditioner")
            if preconditioner is None:
                return None  # nothing can be said about this block before the preconditioner is mended
            value = published_noise(preconditioner, value)
        if value is None and kind in OPTIONAL_BLOCKS:
            block = None
        elif isinstance(value, list | tuple) and kind in LIST_BLOCKS:
            block = build_components(kind, value, info)
        else:
            block = build_component(kind, value, info)
        _collect(info, block)
        return block

    @field_validator(*SETTINGS_BLOCKS, mode="after")
    @classmethod
    def _settings(cls, value: Settings, info: ValidationInfo) -> Settings:
        _collect(info, value)
        return value

    def type_name(self, kind: str) -> str | None:
        """The registered name of a block's component, as a recipe writes it; None for a block that is null.

        Of a list of components the names are joined by " + ".
        """
        block = getattr(self, kind)
        if block is None:
            return None
        components = block if isinstance(block, tuple) else (block,)
        return " + ".join(installed_registry().name_of(kind, component) for component in components)

    def to_mapping(self) -> dict[str, Any]:
        """The fully resolved recipe as plain data; `recipe_from_mapping` gives an equal recipe back."""
        plain = self.model_dump(mode="json")
        for kind in BLOCKS:
            plain[kind] = installed_registry().describe(kind, getattr(self, kind))
        return plain

    def to_yaml(self) -> str:
        """The fully resolved recipe as YAML."""
        from genaudio.core.yaml_writer import to_yaml

        return to_yaml(self.to_mapping())


def _collect(info: ValidationInfo, block: Any) -> None:
    if isinstance(info.context, dict) and "blocks" in info.context:
        info.context["blocks"][info.field_name] = block


Origin = Literal["default", "recipe", "override"]


@dataclass(frozen=True)
class LoadedRecipe:
    """A recipe with what is known about its making: notices to show, and where each value came from."""

    recipe: Recipe
    notices: tuple[str, ...]
    _document: Document
    _overridden: Overridden

    def origin(self, path: Sequence[str | int]) -> tuple[Origin, Position | None]:
        """Where the resolved value at `path` came from, with the place of an override or a line of the file."""
        path = tuple(path)
        for end in range(len(path), 0, -1):
            override = self._overridden.set_by.get(path[:end])
            if override is not None:
                return "override", override.position
        here: Any = self._overridden.data
        key: Any
        for key in path:
            if isinstance(here, str) and key == "type":  # a block that is a bare name
                path = path[:-1]
                break
            if not (isinstance(here, dict) and key in here) and not (
                isinstance(here, list) and isinstance(key, int) and key < len(here)
            ):
                return "default", None
            here = here[key]
        if path not in self._document.values and path[:-1] not in self._document.values:
            return "default", None  # the default type of a block that came into being by an override
        return "recipe", self._document.position(path)

    def placed(self, problems: Sequence[Problem]) -> list[Problem]:
        """The problems, those of a value of the recipe with the place where it was set."""
        values = self.recipe.to_mapping()
        return [
            _placed(problem, self._document, self._overridden) if _leads_to_value(problem.path, values) else problem
            for problem in problems
        ]

    @contextmanager
    def placing(self) -> Iterator[None]:
        """What is raised within is told with the places of the recipe's values that it is about."""
        try:
            yield
        except GenaudioError as error:
            placed = self.placed(error.problems)
            if placed == list(error.problems):
                raise
            raise type(error).of(placed) from error


def load_recipe(path: Path | str, overrides: Sequence[str] = ()) -> Recipe:
    """The recipe in a YAML file, with `a.b.c=value` overrides; raises `RecipeError` with everything that is wrong.

    Notices (what an override dropped) go to the log; `open_recipe` returns them.
    """
    loaded = open_recipe(path, [overrides] if isinstance(overrides, str) else overrides)
    for notice in loaded.notices:
        _log.warning(notice)
    return loaded.recipe


def open_recipe(path: Path | str, overrides: Sequence[str] = (), *, registry: Registry | None = None) -> LoadedRecipe:
    """The recipe in a YAML file, with notices and provenance."""
    return _load(read_yaml(path), overrides, registry)


def recipe_from_mapping(
    data: Mapping[str, Any],
    overrides: Sequence[str] = (),
    *,
    source: str = "recipe",
    registry: Registry | None = None,
) -> Recipe:
    """The recipe that plain data describe; `source` names the data in errors."""
    return _load(Document(source, dict(data)), overrides, registry).recipe


def _load(document: Document, overrides: Sequence[str], registry: Registry | None) -> LoadedRecipe:
    registry = registry or installed_registry()
    data = document.data
    if data is None or data == {}:
        raise RecipeError.of(
            [
                *document.problems,
                Problem(
                    "an empty file",
                    "a recipe, at least name and dataset",
                    "write a starter recipe with `gen init`",
                    position=Position(document.source),
                ),
            ]
        )
    if not isinstance(data, dict):
        given = f"a {'list' if isinstance(data, list) else 'single value'}"
        raise RecipeError.of(
            [*document.problems, Problem(given, "a mapping: 'name: …'", position=document.position(()))]
        )
    overridden = apply_overrides(data, overrides, default_types())
    problems = [*document.problems, *overridden.problems]
    blocks: dict[str, Any] = {}
    recipe: Recipe | None = None
    try:
        recipe = Recipe.model_validate(overridden.data, context={"registry": registry, "blocks": blocks})
    except ValidationError as error:
        found = problems_of(error, overridden.data, Recipe, _class_of_block(registry, blocks))
        problems += [_in_recipe_terms(problem, registry) for problem in found if problem.path not in document.misread]
    problems += cross_block_problems(blocks)
    if problems or recipe is None:
        placed = [_placed(problem, document, overridden) for problem in problems]
        raise RecipeError.of(sorted(placed, key=lambda p: _reading_order(p, document.source)))
    return LoadedRecipe(recipe, tuple(overridden.notices), document, overridden)


def default_types() -> dict[str, str | list[str] | None]:
    """The component blocks of a recipe, each with the type, or list of types, it has when left out."""
    defaults = {kind: Recipe.model_fields[kind].default for kind in BLOCKS}
    return {
        kind: list(value) if isinstance(value, tuple) else value if isinstance(value, str) else None
        for kind, value in defaults.items()
    }


def _class_of_block(registry: Registry, blocks: Mapping[str, Any]) -> ClassOfBlock:
    """Finds the class whose fields a component block sets, for messages; `blocks` are those that are valid."""

    def find(kind: str, raw: Any) -> type[Component] | None:
        if kind in AUTO_BLOCKS and is_auto(raw):
            preconditioner = blocks.get("preconditioner")
            raw = None if preconditioner is None else published_noise(preconditioner, raw)
        name = raw.get("type") if isinstance(raw, Mapping) else raw
        if isinstance(raw, Component):
            return type(raw)
        try:
            return registry.load(kind, name) if kind in BLOCKS and isinstance(name, str) else None
        except GenaudioError:
            return None

    return find


def _in_recipe_terms(problem: Problem, registry: Registry) -> Problem:
    """What a recipe's own fields need beyond the common words: the names of a block that is missing, a newer format."""
    if problem.path == "version":
        mend = f"write version: {FORMAT_VERSION}, or upgrade genaudio for a recipe of a newer format"
        return Problem(problem.given, problem.expected, mend, problem.path)
    if problem.path not in BLOCKS or problem.given != NOTHING:
        return problem
    names = ", ".join(registry.names(problem.path))
    mend = f"add {problem.path}: {{type: …}}; `gen describe {problem.path} NAME` shows the parameters"
    return Problem(problem.given, f"a {problem.path}: one of {names}", mend, problem.path)


def _reading_order(problem: Problem, source: str) -> tuple[bool, int, int]:
    """Top to bottom of the file, then overrides."""
    position = problem.position or Position(source)
    return position.file != source, position.line or 0, position.column or 0


def _leads_to_value(path: str, values: Any) -> bool:
    """Whether a problem's path is one of a recipe, and not the name of a file or the like."""
    for key in path.split("."):
        if isinstance(values, list) and key.isdecimal() and int(key) < len(values):
            values = values[int(key)]
        elif isinstance(values, dict) and key in values:
            values = values[key]
        else:
            return False
    return True


def _placed(problem: Problem, document: Document, overridden: Overridden) -> Problem:
    """`problem` with its position: the override that set the value, else the place in the file."""
    if problem.position is not None:
        return problem
    path = (
        tuple(int(key) if re.fullmatch("[0-9]+", key) else key for key in problem.path.split("."))
        if problem.path
        else ()
    )
    for end in range(len(path), 0, -1):
        override = overridden.set_by.get(path[:end])
        if override is not None:
            position = override.position
            break
    else:
        below = [o for p, o in overridden.set_by.items() if p[: len(path)] == path and path not in document.values]
        unknown = problem.given.startswith(UNKNOWN_KEY)
        position = below[0].position if below else document.position(path, key=unknown)
    return Problem(problem.given, problem.expected, problem.mend, problem.path, position)
