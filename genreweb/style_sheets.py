"""Of a library's style sheet what this site uses, and a sheet with what it imports in its place."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import tinycss2
from django.core.files.base import ContentFile
from django.core.files.storage import Storage

BOOTSTRAP = "vendor/bootstrap/css/bootstrap.min.css"
USED = frozenset(
    {
        *("btn", "btn-primary", "btn-secondary", "btn-danger", "btn-sm"),
        *("form-label", "form-text", "form-control", "form-control-sm", "form-control-color"),
        *("form-select", "form-select-sm", "form-check", "form-check-input", "form-check-label"),
        *("is-invalid", "invalid-feedback", "visually-hidden", "small", "text-break", "flex-nowrap"),
        *("mb-0", "mb-2", "mb-3", "mt-3", "my-3", "w-100"),
    }
)
"""The classes of Bootstrap that the site's pages use: a twentieth of them."""

# The imports at the head of a style sheet of ours that is made of others.
_IMPORT = re.compile(r'(?m)^@import url\("([\w./-]+\.css)"\);\n')
_DEFINITION = re.compile(r"(?<=[{;])(--[\w-]+):((?:[^;{}\"]|\"[^\"]*\")*)(?:;|(?=}))")


def _classes(tokens: Collection[Any]) -> Iterator[str]:
    """Give the classes that an element must have to match; what it must not have is in ``:not()``."""
    previous = None
    for token in tokens:
        if token.type == "ident" and previous is not None and previous == ".":
            yield str(token.value)
        elif token.type == "function" and token.lower_name != "not":
            yield from _classes(token.arguments)
        previous = token


def _selectors(prelude: Collection[Any]) -> Iterator[list[Any]]:
    """Divide what stands before a rule's braces at its commas."""
    selector: list[Any] = []
    for part in prelude:
        if part == ",":
            yield selector
            selector = []
        else:
            selector.append(part)
    yield selector


def _kept(rules: Collection[Any], used: Collection[str]) -> str:
    """Write the rules that can match an element which has none but the classes in `used`."""
    written = []
    for rule in rules:
        if rule.type == "qualified-rule":
            selectors = [
                tinycss2.serialize(selector).strip()
                for selector in _selectors(rule.prelude)
                if all(name in used for name in _classes(selector))
            ]
            if selectors:
                written.append(f"{','.join(selectors)}{{{tinycss2.serialize(rule.content)}}}")
        elif rule.type == "at-rule" and rule.lower_at_keyword in {"media", "supports"}:
            inner = tinycss2.parse_rule_list(rule.content, skip_comments=True, skip_whitespace=True)
            if text := _kept(inner, used):
                written.append(f"@{rule.at_keyword}{tinycss2.serialize(rule.prelude)}{{{text}}}")
        elif rule.type == "at-rule" and rule.lower_at_keyword not in {"charset", "keyframes"}:
            written.append(rule.serialize())
    return "".join(written)


def _without_unread(sheet: str, beside: str) -> str:
    """Leave out the custom properties that nothing in the sheet, nor in the text `beside` it, reads."""
    left = ""
    while left != sheet:
        left, sheet = sheet, _read_part(sheet, beside)
    return re.sub(r"[^{};]+\{\}", "", sheet)


def _read_part(sheet: str, beside: str) -> str:
    read = set(re.findall(r"var\((--[\w-]+)", sheet + beside))
    return _DEFINITION.sub(lambda found: found[0] if found[1] in read else "", sheet)


def used_part(sheet: str, *, used: Collection[str] = USED, beside: str = "") -> str:
    """Give the rules of `sheet` that can match where elements have of its classes those in `used` alone.

    Animations go: the site has its own. So do the custom properties that nothing is left to read, in it or
    in the style sheets whose text is `beside` it.
    """
    rules = tinycss2.parse_stylesheet(sheet, skip_comments=True, skip_whitespace=True)
    return _without_unread(_kept(rules, used), beside)


class JoinedSheet:
    """Where a style sheet is read from, with what it imports put into its place."""

    def __init__(self, name: str, found: Mapping[str, tuple[Storage, str]]) -> None:
        self._name, self._found = name, found

    def open(self, _name: str) -> ContentFile[bytes]:
        """Give the whole sheet."""
        return ContentFile(_IMPORT.sub(self._imported, self._text(self._name)).encode())

    def _imported(self, match: re.Match[str]) -> str:
        name = posixpath.normpath(posixpath.join(posixpath.dirname(self._name), match[1]))
        if name not in self._found:
            return match[0]
        text = self._text(name)
        if name != BOOTSTRAP:
            return text
        own = "".join(self._text(each) for each in self._found if re.fullmatch(r"css/[\w-]+\.css", each))
        return used_part(text, beside=own)

    def _text(self, name: str) -> str:
        storage, path = self._found[name]
        with storage.open(path) as file:
            return str(file.read().decode())
