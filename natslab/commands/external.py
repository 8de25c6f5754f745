"""Running a program of the person's: `reply --command`, `sub --translate`. Never through a shell.

What a message brings (its subject, its payload) only ever becomes part of one argument, standard
input or an environment variable.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import time
from collections.abc import Mapping

from natslab.commands import words as shell
from natslab.errors import CommandError

TIME = 10.0  # seconds a program may take
_MOST = 1024 * 1024  # bytes of its output that are used
_SIGN = re.compile(r"\{\{\s*\.?(\w+)\s*\}\}")


class Program:
    """A program with its arguments.

    In them `{{1}}` is a word of the subject, counted from 0, `{{Subject}}` all of it, and
    `{{Request}}` the payload.

    Raises CommandError when the line is empty or a placeholder decides which program runs.
    """

    def __init__(self, line: str) -> None:
        self.words = shell.split(line)
        if not self.words:
            raise CommandError("The command is empty.", "Give a program and its arguments: --command 'date'")
        if _SIGN.search(self.words[0]):
            raise CommandError(
                f"{self.words[0]!r} would let a message choose the program.", "Name the program itself."
            )

    def arguments(self, subject: str, request: bytes) -> list[str]:
        """The words with the placeholders filled in.

        Raises CommandError when that would turn an argument into an option of the program.
        """
        tokens = subject.split(".")
        values = {"Subject": subject, "Request": request.decode("utf-8", "replace").replace("\0", "\ufffd")}
        values.update((str(i), token) for i, token in enumerate(tokens))

        def fill(sign: re.Match[str]) -> str:
            return values.get(sign[1], sign[0])

        filled = [_SIGN.sub(fill, w) for w in self.words]
        for before, after in zip(self.words, filled, strict=True):
            if after.startswith("-") and not before.startswith("-"):
                raise CommandError(
                    f"The message would give {self.words[0]} the option {after!r}.", "It was not run."
                )
        return filled

    async def run(
        self, subject: str, request: bytes, *, stdin: bytes = b"", limit: float = TIME
    ) -> tuple[int, bytes]:
        """Its exit code and what it wrote (errors included), after at most `limit` seconds.

        Raises CommandError when it is not there, cannot run or takes too long.
        """
        arguments = self.arguments(subject, request)
        env = {
            **os.environ,
            "NATS_REQUEST_SUBJECT": subject,
            "NATS_REQUEST_BODY": request.replace(b"\0", b"").decode("utf-8", "surrogateescape"),
        }
        return await _run(arguments, env, stdin, limit)


async def _run(arguments: list[str], env: Mapping[str, str], stdin: bytes, limit: float) -> tuple[int, bytes]:
    name = arguments[0]
    begun = time.monotonic()
    try:
        process = await asyncio.create_subprocess_exec(
            *arguments,
            env=env,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
    except (OSError, ValueError) as e:
        why = "there is no such program" if isinstance(e, FileNotFoundError) else str(e)
        raise CommandError(f"{name} cannot be run: {why}.", "Name a program of this machine.") from None
    try:
        async with asyncio.timeout(max(0.0, limit - (time.monotonic() - begun))):
            out, _ = await process.communicate(stdin)
    except TimeoutError:
        raise CommandError(
            f"{name} took longer than {limit:g} s and was ended.", "Make it quicker."
        ) from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await asyncio.shield(process.wait())
    return process.returncode or 0, out[:_MOST]
