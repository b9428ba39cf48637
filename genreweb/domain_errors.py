"""Errors of the domain: a code for programs and a sentence for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


class DomainError(Exception):
    """A request that cannot be met. Each app has a subclass with its sentences.

    Attributes
    ----------
    refusals, faults : mapping of str to str
        The sentence of every code: what is wrong with the request, and what is wrong with the site. Sentences
        are translated when they are read. ``internal`` of the faults stands for codes that nobody knows.
    code : str
        What went wrong.
    params : dict
        What the sentence is formatted with.
    """

    refusals: ClassVar[Mapping[str, Any]] = {}
    faults: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, code: str, params: Mapping[str, Any] | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.params = dict(params or {})

    @property
    def message(self) -> str:
        """What `code` means and what to do next, in the reader's language."""
        found = self.refusals.get(self.code) or self.faults.get(self.code) or self.faults["internal"]
        # The format of a sentence with plural forms chooses one by its parameters.
        return str(found.format(**self.params))

    @property
    def is_ours(self) -> bool:
        """Whether the site is at fault, not the request: then trying again may help."""
        return self.code not in self.refusals
