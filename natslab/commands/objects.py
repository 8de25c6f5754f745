"""What the verbs of object stores return; the text has no times, the attributes have."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from natslab.commands.jsresults import Info, Pairs
from natslab.commands.results import Rows, Text, one_line
from natslab.commands.server import size
from natslab.servers.objectstore import ObjectInfo


def bytes_of(found: ObjectInfo) -> str:
    """Size and chunks, as words."""
    return f"{size(found.size)} in {found.chunks:,} chunk{'s' * (found.chunks != 1)}"


class ObjectFacts(Info):
    """One object: `.name`, `.size`, `.chunks`, `.digest`, …; `.object` has it all."""

    def __init__(self, found: ObjectInfo) -> None:
        super().__init__({**found.facts, "modified": found.modified.isoformat()})
        self.object = found

    @property
    def title(self) -> str:
        """Whose information it is."""
        found = self.object
        return f"Object information for {found.bucket} > {one_line(found.name)}"

    def sections(self) -> dict[str, Pairs]:
        """Description, size, chunks, digest, headers."""
        found = self.object
        exact = f" ({found.size:,} bytes)" if found.size >= 1024 else ""
        rows = [
            ("Description", found.description),
            ("Size", size(found.size) + exact),
            ("Chunks", f"{found.chunks:,}"),
            ("Digest", f"SHA-256 {found.sha256}" if found.sha256 else ""),
        ]
        rows += [(f"Header {k}", v) for k, v in sorted(found.headers.items())]
        return {"": [(name, value) for name, value in rows if value]}


class Saved(Text):
    """What was written: `.path`, `.object`, `.size`."""

    def __init__(self, found: ObjectInfo, path: Path) -> None:
        super().__init__(
            f"Wrote {bytes_of(found)} to {one_line(path.name)}",
            bucket=found.bucket,
            name=found.name,
            path=str(path),
            size=found.size,
            digest=found.digest,
        )
        self.object = found
        self.path = path
        self.size = found.size


class Objects(Rows):
    """The objects of a store; iterating gives each: `.name`, `.size`, `.chunks`, `.digest`, `.modified`."""

    def __init__(self, bucket: str, found: list[ObjectInfo], only_names: bool) -> None:
        columns = ["Name"] if only_names else ["Name", "Size"]
        rows = [[o.name] if only_names else [o.name, size(o.size)] for o in found]
        super().__init__(
            "" if only_names else f"Contents of {bucket}", columns, rows, [o.facts for o in found]
        )
        self.objects = found
        self._only_names = only_names

    @property
    def names(self) -> list[str]:
        """The names."""
        return [o.name for o in self.objects]

    def text(self) -> str:
        """The table, the names one a line, or that there are none."""
        if not self.objects:
            return "No entries found"
        return "\n".join(map(one_line, self.names)) if self._only_names else super().text()

    def __iter__(self) -> Iterator[ObjectInfo]:
        return iter(self.objects)

    def __getitem__(self, i: int) -> ObjectInfo:
        return self.objects[i]
