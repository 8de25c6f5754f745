"""Subject mappings worked out here agree with a real server's."""

from __future__ import annotations

import random

import nats
import pytest

from natslab.commands import parse
from natslab.commands.mapping import Mapping
from natslab.errors import CommandError, ServerError
from natslab.loop import run
from natslab.servers.fleet import Fleet
from natslab.servers.topology import single

# Destinations for the source m<i>.*.* (or m<i>.*.>), by all functions that are not random.
TWO = [
    "out.{{wildcard(2)}}.{{wildcard(1)}}",
    "out.$2.$1",
    "out.{{wildcard(1)}}.x",
    "out.{{partition(3,1)}}.{{wildcard(1)}}",
    "out.{{partition(5,1,2)}}",
    "out.{{partition(10,2)}}.a",
    "out.{{split(1,-)}}",
    "out.{{split(2,-)}}.{{wildcard(1)}}",
    "out.{{splitFromLeft(1,2)}}",
    "out.{{splitFromRight(1,2)}}",
    "out.{{SplitFromLeft(2,3)}}",
    "out.{{sliceFromLeft(1,2)}}",
    "out.{{sliceFromRight(1,2)}}",
    "out.{{SliceFromRight(2,3)}}",
    "out.{{left(1,3)}}",
    "out.{{right(1,3)}}",
    "out.{{ wildcard( 1 ) }}.z",
    "out.fixed",
]
REST = ["out.{{wildcard(1)}}.>", "out.q.$1.>"]
WORDS = ["a", "ab", "abc", "abcd", "abcde", "ab-cd-ef", "x-", "-y", "zurich", "7", "customer-17"]


def test_agrees_with_the_server_on_300_subjects() -> None:
    chance = random.Random(7)
    sources = {f"m{i}.*.*": dest for i, dest in enumerate(TWO)}
    sources |= {f"r{i}.*.>": dest for i, dest in enumerate(REST)}
    subjects: dict[str, str] = {}
    for _ in range(300):
        source = chance.choice(list(sources))
        head = source.split(".")[0]
        tail = [chance.choice(WORDS) for _ in range(chance.randint(1, 3) if head[0] == "r" else 1)]
        subjects[".".join([head, chance.choice(WORDS), *tail])] = source

    async def ask(fleet: Fleet) -> dict[str, str]:
        client = await nats.connect(**fleet.login())
        got: dict[str, str] = {}
        sub = await client.subscribe("out.>")
        await client.flush()
        await client.flush()
        for subject in subjects:
            await client.publish(subject, subject.encode())
        for _ in subjects:
            msg = await sub.next_msg(5)
            got[msg.data.decode()] = msg.subject
        await client.close()
        return got

    fleet = run(Fleet.start(single(mappings=sources)))
    try:
        server = run(ask(fleet))
    finally:
        run(fleet.stop())
    ours = {subject: Mapping(source, sources[source]).apply(subject) for subject, source in subjects.items()}
    assert ours == server


@pytest.mark.parametrize(
    ("source", "dest"),
    [
        ("a.*", "b.{{wildcard(2)}}"),
        ("a.*", "b.$2"),
        ("a.>", "b.c"),
        ("a.b", "c.>"),
        ("a.*.*", "b.*"),
        ("a.*", "b.*"),
        ("a.*", "b.{{nonsense(1)}}"),
        ("a.*", "b.{{partition(x,1)}}"),
        ("a.*", "b.{{wildcard(x)}}"),
        ("a.*", "b.{{split(1)}}"),
        ("a.*", "b.{{splitFromLeft(3,1)}}"),
        ("a..b", "c"),
        ("a", "c..d"),
        (">.a", "b"),
    ],
)
def test_refuses_what_the_server_refuses(source: str, dest: str) -> None:
    with pytest.raises(CommandError):
        Mapping(source, dest)
    with pytest.raises(ServerError):
        run(Fleet.start(single(mappings={source: dest})))


def test_what_does_not_match_stays() -> None:
    assert Mapping("a.*", "b.$1").apply("a.b.c") is None
    assert Mapping("a.*", "b.$1").apply("a") is None
    assert Mapping("a.*.>", "b.$1.>").apply("a.x") is None
    assert Mapping("a.b", "c").apply("a.b") == "c"


def test_random_stays_in_its_bounds() -> None:
    mapping = Mapping("a.*", "b.{{random(3)}}")
    assert {mapping.apply("a.x") for _ in range(200)} == {"b.0", "b.1", "b.2"}


def test_the_verb_needs_no_lab() -> None:
    line = 'server mapping "neworders.*" "neworders.{{wildcard(1)}}.{{partition(3,1)}}" neworders.customerid1'
    result = parse(line).run()
    assert repr(result) == "neworders.customerid1.0"
    assert result.json()["to"] == "neworders.customerid1.0"
    assert "good mapping" in repr(parse("server mapping foo bar").run())
    with pytest.raises(CommandError, match="does not match"):
        parse("server mapping foo.* bar other.x").run()
    with pytest.raises(CommandError, match="source and a destination"):
        parse("server mapping").run()
