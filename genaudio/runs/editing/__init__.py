"""Editing sounds with a trained model: variations of a clip, parts of it made anew, the noise that it comes from."""
