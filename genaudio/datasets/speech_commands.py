"""The `speech_commands` dataset: SC09, the words zero to nine of Speech Commands (Warden, arXiv 1804.03209).

Files are `{word}/{speaker}_nohash_{take}.wav`. The official lists name the files of the validation and the test split;
what neither names trains. They were drawn by a hash of the speaker, so that no speaker is on two sides.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from genaudio.core.component import parameter
from genaudio.datasets.base import Split
from genaudio.datasets.files import FileDataset, Item, Listing, audio_files

_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_LISTS: tuple[tuple[str, Split], ...] = (("validation_list.txt", "validation"), ("testing_list.txt", "test"))


class SpeechCommands(FileDataset):
    """Spoken digits by some 2,500 people, 1 s at 16 kHz: the subset of Speech Commands called SC09."""

    source: ClassVar[str] = (
        "`root` with the folders zero/ to nine/, validation_list.txt and testing_list.txt: Speech Commands v0.02 "
        "(CC BY 4.0), http://download.tensorflow.org/data/speech_commands_v0.02.tar.gz"
    )

    root: str = parameter(
        "data/speech_commands_v0.02", min_length=1, description="Folder of the unpacked archive, as published"
    )

    def listing(self, folder: Path) -> Listing:
        """The files of the ten words; a group is one speaker, the hash before `_nohash_`."""
        splits: dict[str, Split] = {}
        for name, split in _LISTS:
            path = folder / name
            if not path.is_file():
                raise self.missing(f"no {name} in {self.root!r}")
            splits |= {line.strip(): split for line in path.read_text(encoding="utf-8").splitlines() if line.strip()}
        items = []
        for label, word in enumerate(_WORDS):
            if not (folder / word).is_dir():
                raise self.missing(f"no folder {word}/ in {self.root!r}")
            for path in audio_files(folder / word):
                split = splits.get(f"{word}/{path.name}", "train")
                items.append(Item(path, label, path.stem.split("_nohash_")[0], split))
        return Listing(_WORDS, tuple(items))
