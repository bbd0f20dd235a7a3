"""Plugins: the hook, how plugins are found and kept apart, and the built-ins, registered like anyone's."""
