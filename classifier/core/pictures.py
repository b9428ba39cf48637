"""Pictures of the sound, edge to edge, so that a page can lay them on one time axis."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tick:
    """A mark on the vertical axis: ``position`` from 0 (bottom edge) to 1 (top edge)."""

    position: float
    label: str


@dataclass(frozen=True, kw_only=True)
class Picture:
    """An encoded image whose width is the whole track, and the marks of its vertical axis."""

    data: bytes
    width: int
    height: int
    media_type: str
    ticks: tuple[Tick, ...]
