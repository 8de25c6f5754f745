"""Which servers a lab has: a pure description, turned into configurations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from natslab.servers import config
from natslab.servers.config import Config, Logins, Target


@dataclass(frozen=True)
class Topology:
    """Servers by name, in order, and what they have in common. Equal descriptions are equal labs.

    `port` is the first server's on 127.0.0.1 (None: the system picks). `store` is a folder that
    outlives the lab, with one folder per server in it (None: a temporary one). `http` opens the
    unauthenticated monitoring port. `max_payload` is bytes.
    """

    names: tuple[str, ...]
    port: int | None = None
    max_payload: int = config.MB
    mappings: Mapping[str, tuple[Target, ...]] = field(default_factory=dict)  # of the learner's account
    store: Path | None = None
    http: bool = False

    def configs(self, logins: Logins, folder: Path, store: Path | None) -> dict[str, Config]:
        """The configuration of each server; its files are in `folder`/NAME, its store in `store`/NAME."""
        accounts = config.lab_accounts(logins, self.mappings)
        return {
            name: Config(
                name=name,
                accounts=accounts,
                store=(store / name) if store else (folder / name / "store"),
                log=folder / name / "log",
                port=self.port if self.port is not None and name == self.names[0] else config.RANDOM,
                http=config.RANDOM if self.http else None,
                max_payload=self.max_payload,
            )
            for name in self.names
        }


def single(
    *,
    port: int | None = None,
    max_payload: int = config.MB,
    mappings: Mapping[str, str | tuple[Target, ...]] | None = None,
    store: Path | None = None,
    http: bool = False,
) -> Topology:
    """One server, n1. A mapping leads to one subject, or to weighted targets."""
    return Topology(
        names=("n1",),
        port=port,
        max_payload=max_payload,
        mappings={
            source: (Target(to),) if isinstance(to, str) else tuple(to)
            for source, to in (mappings or {}).items()
        },
        store=store,
        http=http,
    )
