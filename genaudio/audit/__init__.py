"""The copy audit: which generated clips are copies of training clips, of which, and where in time."""
