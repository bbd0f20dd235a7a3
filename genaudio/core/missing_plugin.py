"""Plugins that are installed and not loaded, and which of them an unknown component may be of."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

_ALIKE = 0.8  # of two words: one is the other misspelt
_OF_ANY = ("genaudio", "plugin", "plugins")  # words that tell no plugin from another


@dataclass(frozen=True)
class MissingPlugin:
    """A plugin whose components are not there, and why: `{distribution} {reason}`.

    `names` are others that it goes by: its entry point and module, the prefixes of what it registered until it failed.
    `everyone` stands for all of them, whatever their names.
    """

    distribution: str
    reason: str
    names: tuple[str, ...] = ()
    everyone: bool = False

    def may_provide(self, prefix: str) -> bool:
        """Whether components called `prefix/…` could be its own, by what it is called."""
        wanted = _words(prefix)
        for words in map(_words, (self.distribution, *self.names)):
            runs = [words[start : start + len(wanted)] for start in range(len(words))]
            if difflib.get_close_matches("_".join(wanted), map("_".join, [*runs, words]), cutoff=_ALIKE):
                return True
        return self.everyone


def mend_for(prefix: str, missing: Sequence[MissingPlugin]) -> str:
    """What to do about an unknown component called `prefix/…`, where these plugins are not loaded.

    Those that may provide it are named, with their reasons; of the others there is a count alone.
    """
    likely = [plugin for plugin in missing if plugin.may_provide(prefix)]
    if likely:
        reasons = "; ".join(f"{plugin.distribution} {plugin.reason}" for plugin in likely)
        return f"a plugin that may provide it is not there: {reasons}; see `gen plugins`"
    text = f"install the plugin that provides '{prefix}/…'; `gen plugins` shows what is installed"
    if missing:
        some = "1 other plugin is" if len(missing) == 1 else f"{len(missing)} other plugins are"
        text += f" ({some} not loaded, and not called so)"
    return text


def _words(name: str) -> list[str]:
    words = [word for word in re.split(r"[^a-z0-9]+", name.lower()) if word]
    return [word for word in words if word not in _OF_ANY] or words
