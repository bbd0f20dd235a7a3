"""Sounds from random numbers: one module for each family, and the table of all of them by name."""

from genaudio.datasets.synthesis.bird import bird
from genaudio.datasets.synthesis.engine import engine
from genaudio.datasets.synthesis.footsteps import footsteps
from genaudio.datasets.synthesis.impacts import bell, glass, metal, wood
from genaudio.datasets.synthesis.keyboard import keyboard
from genaudio.datasets.synthesis.rain import rain
from genaudio.datasets.synthesis.signal import Signal, Sound, band_limited
from genaudio.datasets.synthesis.waves import waves

SOUNDS: dict[str, Sound] = {
    "bell": bell,
    "bird": bird,
    "engine": engine,
    "footsteps": footsteps,
    "glass": glass,
    "keyboard": keyboard,
    "metal": metal,
    "rain": rain,
    "waves": waves,
    "wood": wood,
}

__all__ = ["SOUNDS", "Signal", "Sound", "band_limited"]
