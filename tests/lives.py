"""Tapes as a lab could have written them, made up from a seed: for tests and benchmarks."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

from natslab.tape.event import (
    Ack,
    Conn,
    Deliver,
    End,
    Event,
    Hop,
    Many,
    Mark,
    Pub,
    Recv,
    Server,
    Snap,
    Store,
    Sub,
)

DAY = {"max_msgs": 400, "retention": "limits", "storage": "file", "subjects": ["orders.>"], "num_replicas": 1}

_Verb: TypeAlias = Literal["ack", "nak", "term", "wpi", "expired"]
_VERBS: list[_Verb] = ["ack", "ack", "ack", "ack", "ack", "ack", "ack", "nak", "term", "wpi", "expired"]


def core(seed: int, messages: int) -> Iterator[Event]:
    """Clients who come and go, and traced messages to a queue group, plain subscribers and nobody."""
    dice = random.Random(seed)
    yield Server(name="n1", state="up", version="2.15.1")
    for i in range(1, 7):
        yield Conn(client=f"w{i}", no=i, place="n1")
        pattern = dice.choice(["jobs", "jobs", "*", ">", "jobs.*"])
        yield Sub(client=f"w{i}", sid=1, subject=pattern, queue=dice.choice(["", "q", "q"]))
    for n in range(messages):
        t = n / 50
        to, subject = dice.randint(1, 6), dice.choice(["jobs", "jobs", "jobs.eu", "help"])
        id = f"c/9/{n}"
        yield Pub(id=id, client="shop", subject=subject, size=3, traced=True, t=t, timeout=float(n % 9 == 0))
        yield Hop(id=id, step="in", client="shop", subject=subject, place="n1", t=t)
        yield Hop(id=id, step="egress", client=f"w{to}", sub=subject, queue="q", place="n1", t=t + 0.0001)
        yield Recv(id=id, client=f"w{to}", sid=1, subject=subject, pattern=subject, queue="q", t=t + 0.0002)
        yield End(of="trace", id=id, outcome="delivered", count=1, t=t + 0.001)
        if n % 40 == 39:
            yield Many(client="w1", way="recv", subject="jobs", sid=1, queue="q", count=500, bytes=1500, t=t)
        if n % 500 == 499:
            gone = dice.randint(1, 6)
            yield Sub(client=f"w{gone}", sid=1, subject="jobs", queue="q", state="closed", t=t)
            yield Sub(client=f"w{gone}", sid=1, subject="jobs", queue="q", t=t)
            yield Mark(what="run", text="%nats pub jobs", t=t)


def jetstream(seed: int, messages: int) -> Iterator[Event]:
    """One stream with a limit, and two consumers who acknowledge, refuse and forget."""
    dice = random.Random(seed)
    yield Server(name="n1", state="up", version="2.15.1")
    yield Conn(client="shop", no=1, place="n1")
    policy = {"ack_policy": "explicit", "ack_wait": 2_000_000_000, "max_deliver": 3, "max_ack_pending": 1000}
    for name in ("billing", "audit"):
        data: dict[str, Any] = {"stream": "ORDERS", "name": name, "config": {"durable_name": name, **policy}}
        yield Snap(what="consumer", data=data, place="n1")
    handed = dict.fromkeys(("billing", "audit"), 0)
    for n in range(1, messages + 1):
        t = n / 50
        state = {
            "messages": min(n, 400), "bytes": 90 * min(n, 400), "first_seq": max(1, n - 399), "last_seq": n,
            "num_subjects": 3, "num_deleted": 0, "consumer_count": 2,
        }  # fmt: skip
        if n % 10 == 1:
            data = {"name": "ORDERS", "config": {"name": "ORDERS", **DAY}, "state": state, "kept": "file"}
            yield Snap(what="stream", data=data, place="n1", t=t)
        subject = dice.choice(["orders.new", "orders.paid", "orders.sent"])
        yield Pub(id=f"c/1/{n}", client="shop", subject=subject, size=40, t=t)
        yield Store(stream="ORDERS", id=f"c/1/{n}", client="shop", subject=subject, seq=n, size=40, t=t)
        for name in ("billing", "audit"):
            handed[name] += 1
            one: dict[str, Any] = {"stream": "ORDERS", "consumer": name, "seq": n, "cseq": handed[name]}
            yield Deliver(**one, client=f"{name}-1", subject=subject, size=40, t=t + 0.001)
            verb = dice.choice(_VERBS)
            if verb == "wpi":
                yield Ack(**one, verb="wpi", client=f"{name}-1", t=t + 0.002)
                yield Ack(**one, verb="ack", client=f"{name}-1", t=t + 0.003)
            elif verb == "expired":
                yield Ack(**one, verb="expired", how="inferred", t=t + 0.004)
            else:
                yield Ack(**one, verb=verb, client=f"{name}-1", t=t + 0.002)
            if verb in ("nak", "expired"):
                handed[name] += 1
                again = {**one, "cseq": handed[name], "attempt": 2}
                yield Deliver(**again, client=f"{name}-1", subject=subject, size=40, t=t + 0.005)
                yield Ack(**again, verb="ack", client=f"{name}-1", t=t + 0.006)
