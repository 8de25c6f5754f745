"""Showing results that are not the last expression of a cell."""

from __future__ import annotations

from typing import Any


def show(result: Any) -> None:
    """Show the result of a line in the middle of a cell, as IPython shows the last one's."""
    if result is None:
        return
    from IPython.display import display

    display(result)  # type: ignore[no-untyped-call]
