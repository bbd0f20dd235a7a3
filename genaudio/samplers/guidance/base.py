"""The contract of guidance.

Shapes: x and every estimate (batch, ...), any float dtype; sigma is a Python float.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from torch import Tensor

from genaudio.core.component import Component

# What a guidance may read: the estimate that the guidance before it in the list has arrived at (the conditional one for
# the first), the model's own with its condition and without (the null condition), and that of a weaker model.
Estimate = Literal["guided", "conditional", "null", "weak"]
Estimates = Mapping[Estimate, Tensor]

NOTHING: frozenset[Estimate] = frozenset()


class Guidance(Component, ABC):
    """A pure step on estimates of the clean x: from what the guidance before it arrived at to a better one.

    A recipe may list several; each goes on from the result of the one before. `compose` makes the denoiser of such a
    list, and evaluates at each noise level only what `needs` asks for there.
    """

    uses: ClassVar[frozenset[Estimate]] = NOTHING
    """What it may ever need of "null" and "weak": the model must have been trained for the one, be given the other."""

    follows: ClassVar[bool] = False
    """Whether it acts on guidance that is listed before it, and is nothing by itself."""

    @property
    def weak_model(self) -> str | None:
        """Path of the model whose estimate is "weak"; None for guidance that does not use it."""
        return None

    @property
    def memory_file(self) -> str | None:
        """Path of the training items that it leads away from; None for guidance that knows of none."""
        return None

    @abstractmethod
    def needs(self, sigma: float) -> frozenset[Estimate]:
        """The estimates that `guide` reads at this noise level; none of them if it changes nothing there.

        Guidance that does not read "guided" makes what is listed before it idle, so that is not evaluated.
        """

    def init(self) -> Any:
        """The state at the beginning of a trajectory; most guidance has none."""
        return ()

    @abstractmethod
    def guide(self, guided: Tensor, estimates: Estimates, sigma: float, state: Any) -> tuple[Tensor, Any]:
        """The guided estimate, of the shape, dtype and device of `guided`, and the next state.

        `estimates` holds what `needs(sigma)` names, save "guided", which is the argument. Called only where `needs` is
        not empty. Nothing that is given is modified, and no item of the batch sees another.
        """


def listed(guidance: Guidance | Sequence[Guidance] | None) -> tuple[Guidance, ...]:
    """The guidance of a recipe as a list: none, one or several."""
    if guidance is None:
        return ()
    return (guidance,) if isinstance(guidance, Guidance) else tuple(guidance)
