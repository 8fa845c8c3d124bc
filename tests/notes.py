"""A report that keeps the sentences for the user."""

from __future__ import annotations

from cnnkit.progress import Report


class Notes(Report):
    """Keeps them in `notes`."""

    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)
