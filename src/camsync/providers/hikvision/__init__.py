"""Hikvision recorders and cameras over ISAPI."""

from __future__ import annotations

from ._provider import HikvisionISAPI


__all__ = ["HikvisionISAPI"]
