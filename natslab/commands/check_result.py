"""What a health check found: in words, and as Nagios, Prometheus, JSON or a table would have it."""

from __future__ import annotations

import json as jsons
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from natslab.commands.flags import FILE, flag, together
from natslab.commands.results import Result, one_line, rows_text
from natslab.servers.disk import write

CODES = {"OK": 0, "WARNING": 1, "CRITICAL": 2}


@dataclass(frozen=True)
class Perf:
    """One number that a check looked at, and the limits it was held against."""

    name: str
    value: float
    help: str
    unit: str = ""  # "", s, B or %
    warn: float = 0.0
    crit: float = 0.0
    steady: bool = True  # whether equal lines give equal numbers

    def nagios(self) -> str:
        """name=value;warn;crit"""
        number = f"{self.value:.4f}" if self.unit == "s" else f"{self.value:g}"
        limits = f";{self.warn:g};{self.crit:g}" if self.warn or self.crit else ""
        return f"{self.name}={number}{self.unit}{limits}"


class Check(Result):
    """A check: `.status` is OK, WARNING or CRITICAL, `.ok` whether all is well.

    `criticals`, `warnings` and `oks` are sentences; `perf` the numbers behind them.
    """

    def __init__(self, name: str, suite: str, said: dict[str, Any]) -> None:
        super().__init__()
        self.name = name
        self.suite = suite
        self.criticals: list[str] = []
        self.warnings: list[str] = []
        self.oks: list[str] = []
        self.perf: list[Perf] = []
        self.format = str(said["format"])
        self.namespace = str(said["namespace"])
        self._outfile: Path | None = said["outfile"]

    @property
    def status(self) -> str:
        """The worst of what was found."""
        return "CRITICAL" if self.criticals else "WARNING" if self.warnings else "OK"

    @property
    def ok(self) -> bool:
        """Whether all is well."""
        return self.status == "OK"

    def say(self, level: str, text: str) -> None:
        """Add a sentence at the level critical, warning or ok."""
        {"critical": self.criticals, "warning": self.warnings, "ok": self.oks}[level].append(text)

    def limits(
        self, what: str, value: float, warn: float | None, crit: float | None, more_is_worse: bool = True
    ) -> None:
        """Hold a number against its limits; nothing is said where there are none.

        Where fewer is worse the limits stand the other way round.
        """
        if not (warn or crit):
            return

        def over(limit: float | None) -> bool:
            return bool(limit) and (value >= limit if more_is_worse else value <= limit)  # type: ignore[operator]

        self.say("critical" if over(crit) else "warning" if over(warn) else "ok", what)

    def text(self) -> str:
        """In the format that was asked for; times and loads only where they are asked for."""
        return {"nagios": self._nagios, "json": self._json, "prometheus": self._prometheus}.get(
            self.format, self._table
        )()

    def json(self) -> Any:
        """Status, sentences and numbers, with the CLI's names."""
        return {
            "status": self.status,
            "check_suite": self.suite,
            "check_name": self.name,
            **({"warning": self.warnings} if self.warnings else {}),
            **({"critical": self.criticals} if self.criticals else {}),
            **({"ok": self.oks} if self.oks else {}),
            "perf_data": [{k: v for k, v in vars(p).items() if k != "steady"} for p in self.perf],
        }

    def done(self) -> Check:
        """Write it where --outfile says; returns itself. Raises ServerError."""
        if self._outfile is not None:
            write(self._outfile, self.text() + "\n")
            self.notes.append(f"it was written to {self._outfile}.")
        return self

    def _nagios(self) -> str:
        said = [
            *(f"Crit:{t}" for t in self.criticals),
            *(f"Warn:{t}" for t in self.warnings),
            *(f"OK:{t}" for t in self.oks),
        ]
        line = " ".join([self.status, self.name, *said])
        numbers = " ".join(p.nagios() for p in self.perf if p.steady)
        return one_line(f"{line} | {numbers}" if numbers else line, 2000)

    def _json(self) -> str:
        return jsons.dumps(self.json(), indent=2, ensure_ascii=False)

    def _prometheus(self) -> str:
        item = self.name.replace('"', ".").replace("\\", ".").replace("\n", " ")
        lines = []
        for p in sorted(self.perf, key=lambda p: p.name):
            name = f"{self.namespace}_{self.suite}_{p.name}"
            lines += [
                f"# HELP {name} {p.help}",
                f"# TYPE {name} gauge",
                f'{name}{{item="{item}"}} {p.value:g}',
            ]
        name = f"{self.namespace}_{self.suite}_status_code"
        lines += [
            f"# HELP {name} Nagios compatible status code for {self.suite}",
            f"# TYPE {name} gauge",
            f'{name}{{item="{item}",status="{self.status}"}} {CODES[self.status]}',
        ]
        return "\n".join(lines)

    def _table(self) -> str:
        said = [
            *(["OK", t] for t in self.oks),
            *(["Warning", t] for t in self.warnings),
            *(["Critical", t] for t in self.criticals),
        ]
        numbers = [[p.name, f"{p.value:g}", p.unit, f"{p.crit:g}", f"{p.warn:g}", p.help] for p in self.perf]
        heads = ["Metric", "Value", "Unit", "Critical Threshold", "Warning Threshold", "Description"]
        parts = [f"{self.name}: {self.status}"]
        parts += ["Status Detail\n\n" + rows_text(["Status", "Message"], said)] if said else []
        parts += ["Check Metrics\n\n" + rows_text(heads, numbers)] if numbers else []
        return "\n\n".join(parts)


#: The flags of the whole group.
formatting = together(
    flag(
        "--format", type=click.Choice(["nagios", "json", "prometheus", "text"]), default="nagios",
        show_default=True, help="show it like this",
    ),
    flag("--namespace", default="nats_server_check", show_default=True, help="of Prometheus"),
    flag("--outfile", type=FILE, help="write it to this file too"),
)  # fmt: skip
