"""Durations as nats-server writes them: 1.5s, 241µs, 1m30s."""

from __future__ import annotations

import re

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)")


def seconds(text: str) -> float:
    """Seconds of a Go duration; 0 for what is none."""
    return sum(float(n) * _UNITS[unit] for n, unit in _PART.findall(text))
