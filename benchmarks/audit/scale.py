"""What the audit costs with many training clips: memory of the library, time to look a clip up.

    python benchmarks/audit/scale.py [CLIPS …] [--seconds 5] [--device cpu]

Fills libraries with random patches (the search is exact, so that its cost does not depend on what they hold), looks up
clips of the same length, and extrapolates the largest measurement to 100,000 clips, in proportion.
"""

from __future__ import annotations

import argparse
import time

import torch

from genaudio.audit.comparison import Comparer, Query
from genaudio.audit.library import PatchLibrary
from genaudio.audit.patches import LOUD
from genaudio.audit.sound import Sound
from genaudio.core.audit_settings import AuditSettings

LOOKED_UP = 8
BANDS = AuditSettings().bands


def sound(patches: int, components: int, seconds: float, generator: torch.Generator) -> Sound:
    values = torch.nn.functional.normalize(torch.randn(patches, components, generator=generator), dim=1)
    level = torch.full((patches,), LOUD, dtype=torch.int8)
    levels = torch.randint(0, 100, (BANDS, patches), generator=generator).to(torch.uint8)
    return Sound(values, level, level, levels, seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", type=int, nargs="*", default=[1000, 4000])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    settings, generator = AuditSettings(), torch.Generator().manual_seed(0)
    patches = round(options.seconds / settings.hop) + 1
    for clips in options.clips:
        library = PatchLibrary(settings.components, torch.device(options.device))
        one = sound(patches, settings.components, options.seconds, generator)
        for _ in range(clips):
            library.add(one)
        comparer = Comparer(library, settings)
        queries = [Query(sound(patches, settings.components, options.seconds, generator)) for _ in range(LOOKED_UP)]
        began = time.perf_counter()
        rows = torch.cat([query.sound.patches[::4] for query in queries])
        library.nearest(rows)
        search = (time.perf_counter() - began) / LOOKED_UP
        began = time.perf_counter()
        list(comparer.compare(queries))
        whole = (time.perf_counter() - began) / LOOKED_UP
        align = max(0.0, whole - search)
        print(
            f"{clips} training clips of {options.seconds:g} s: library {library.bytes / 1e9:.2f} GB; a clip looked up "
            f"in {whole:.2f} s ({search:.3f} s of it search, on {torch.get_num_threads()} threads)"
        )
    factor = 100_000 / clips
    memory, seconds = factor * library.bytes / 1e9, factor * search + align
    print(f"extrapolated to 100,000: library {memory:.1f} GB, a clip looked up in {seconds:.1f} s")


if __name__ == "__main__":
    main()
