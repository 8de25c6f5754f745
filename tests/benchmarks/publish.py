"""`%nats pub --count 200000` against a nats-py loop, and against frames made before on a raw socket."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from urllib.parse import urlsplit

import nats

import natslab
from tests.benchmarks.measure import Row, at_least, interleaved, middle, ratio
from tests.benchmarks.shell import cell, shell

MESSAGES = 200_000
PAYLOAD = b"a payload of 32 bytes, or so ..."
SUBJECT = "bench.publish"
REPEATS = 7
CHUNK = 128 * 1024  # bytes for one send on the raw socket


def _bare(lab: natslab.Lab) -> float:
    async def go() -> float:
        client = await nats.connect(**lab.login)
        began = time.perf_counter()
        for _ in range(MESSAGES):
            await client.publish(SUBJECT, PAYLOAD)
        # The first PING of nats-py overtakes what it has buffered.
        await client.flush(60)
        await client.flush(60)
        took = time.perf_counter() - began
        await client.close()
        return MESSAGES / took

    return asyncio.run(go())


def _raw(lab: natslab.Lab) -> float:
    where = urlsplit(lab.url)
    assert where.hostname and where.port
    frame = b"PUB %b %d\r\n%b\r\n" % (SUBJECT.encode(), len(PAYLOAD), PAYLOAD)
    wire = frame * MESSAGES
    with socket.create_connection((where.hostname, where.port)) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s.recv(65536)
        hello = {"verbose": False, "user": where.username, "pass": where.password, "lang": "raw"}
        s.sendall(b"CONNECT " + json.dumps(hello).encode() + b"\r\nPING\r\n")
        _until_pong(s)
        began = time.perf_counter()
        for i in range(0, len(wire), CHUNK):
            s.sendall(wire[i : i + CHUNK])
        s.sendall(b"PING\r\n")
        _until_pong(s)
        return MESSAGES / (time.perf_counter() - began)


def _until_pong(s: socket.socket) -> None:
    said = b""
    while b"PONG" not in said:
        got = s.recv(65536)
        assert got, said
        said = said[-8:] + got


def run() -> list[Row]:
    """Measure."""
    ip = shell()
    cell(ip, "%load_ext natslab")
    cell(ip, "%natslab up")
    lab = natslab.current()

    def magic(payload: str) -> float:
        began = time.perf_counter()
        cell(ip, f"x = %nats pub {SUBJECT} '{payload}' --count {MESSAGES}")
        took = time.perf_counter() - began
        assert ip.user_ns["x"].count == MESSAGES
        return MESSAGES / took

    try:
        found = interleaved(
            REPEATS,
            same=lambda: magic(PAYLOAD.decode()),
            numbered=lambda: magic("message {{Count}} of many, or so"),
            bare=lambda: _bare(lab),
            raw=lambda: _raw(lab),
        )
    finally:
        cell(ip, "%natslab down")
    rate = {name: middle(samples) for name, samples in found.items()}
    rows = [
        at_least(
            f"%nats pub --count {MESSAGES} / nats-py loop, {what}", ratio(found[name], found["bare"]), 1.0,
            ours=f"{rate[name]:,.0f}/s", bare=f"{rate['bare']:,.0f}/s",
            samples={k: found[k] for k in (name, "bare")},
        )
        for name, what in (("same", "one payload"), ("numbered", "with {{Count}}"))
    ]  # fmt: skip
    limit = Row(
        "the same / frames on a raw socket", ratio(found["same"], found["raw"]), "the limit", None,
        ours=f"{rate['same']:,.0f}/s", bare=f"{rate['raw']:,.0f}/s", samples={"raw": found["raw"]},
    )  # fmt: skip
    return [*rows, limit]
