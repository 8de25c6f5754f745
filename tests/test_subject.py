import random

import pytest

from natslab.errors import CommandError
from natslab.loop import run
from natslab.servers.subject import check_subject
from natslab.tape.subject import matches, overlaps, tokens
from tests.watching import watching

WORDS = ["a", "b", "c", "orders", "*", ">"]


def test_the_rules() -> None:
    assert tokens("a.b.c") == ["a", "b", "c"]
    assert matches("orders.*", "orders.new")
    assert not matches("orders.*", "orders")
    assert not matches("orders.*", "orders.new.eu")
    assert matches("orders.>", "orders.new.eu")
    assert not matches("orders.>", "orders")
    assert matches(">", "a")
    assert not matches("a.>.b", "a.x.b")  # only the last > means the rest
    # A publish to a wildcard is a literal one (measured): received by a.* and a.>
    assert matches("a.*", "a.*") and matches("a.>", "a.*")


@pytest.mark.parametrize(
    ("a", "b", "both"),
    [
        ("a.*", "*.b", True),
        ("a.*", "b.*", False),
        ("a.>", "a", False),
        ("a.>", "*.b.c", True),
        ("a.b", "a.b.c", False),
        (">", "x.y", True),
        ("a.*.c", "a.b.*", True),
        ("a.*.c", "a.b.d", False),
    ],
)
def test_overlap_is_symmetric(a: str, b: str, both: bool) -> None:
    assert overlaps(a, b) is both
    assert overlaps(b, a) is both


def test_overlaps_agrees_with_matching_every_subject() -> None:
    alphabet = ["a", "b"]
    subjects = [".".join(s) for n in (1, 2, 3) for s in _words(alphabet, n)]
    patterns = [".".join(s) for n in (1, 2, 3) for s in _words([*alphabet, "*"], n)]
    patterns += [">", "a.>", "*.>", "a.b.>", "*.b.>"]
    for p in patterns:
        for q in patterns:
            shared = any(matches(p, s) and matches(q, s) for s in subjects)
            assert overlaps(p, q) is shared, (p, q)


def _words(alphabet: list[str], n: int) -> list[list[str]]:
    if n == 0:
        return [[]]
    return [[w, *rest] for w in alphabet for rest in _words(alphabet, n - 1)]


def test_the_matcher_agrees_with_the_server_on_random_pairs() -> None:
    """100 patterns x 100 subjects, each pair judged by the server's own matcher (subsz?test=)."""
    chance = random.Random(20)

    def pattern() -> str:
        words = [chance.choice(["a", "b", "c", "*"]) for _ in range(chance.randint(1, 4))]
        if chance.random() < 0.3:
            words[-1] = ">"
        return ".".join(words)

    patterns = sorted({pattern() for _ in range(160)})
    subjects = [".".join(chance.choice("abc") for _ in range(chance.randint(1, 5))) for _ in range(60)]

    async def ask() -> dict[str, set[str]]:
        async with watching(sources=False) as w:
            client = await w.connect("a")
            for p in patterns:
                await client.subscribe(p)
            await client.sync()
            said = {}
            for s in subjects:
                data = await w.fleet.ask("n1", "subsz", account="A", test=s, subscriptions=True, limit=1000)
                said[s] = {
                    sub["subject"]
                    for sub in data.get("subscriptions_list", [])
                    if not sub["subject"].startswith("$")
                }
            return said

    server = run(ask())
    assert len(patterns) * len(set(subjects)) >= 2000
    assert any(server.values())
    for s in subjects:
        assert {p for p in patterns if matches(p, s)} == server[s], s


@pytest.mark.parametrize("good", ["a", "a.b", "$JS.API.x", "ünï.côde", "a.*", ">", "a.>", "*.b.>"])
def test_good_subjects(good: str) -> None:
    check_subject(good, wildcards=True)
    check_subject(good)


@pytest.mark.parametrize(
    ("bad", "says", "hint"),
    [
        ("", "empty", "orders.new"),
        ("a..b", "two dots", "a.b"),
        (".a", "begins with a dot", "a"),
        ("a.", "ends with a dot", "a"),
        ("a b", "white space", "a.b"),
        ("a\tb", "white space", "a.b"),
        ("a\r\nPUB x 0", "white space", "dots"),
        (".", "dot", "orders.new"),
        ("x" * 4000, "4000 bytes", "3500"),
    ],
)
@pytest.mark.parametrize("wildcards", [True, False])
def test_bad_subjects(bad: str, says: str, hint: str, wildcards: bool) -> None:
    with pytest.raises(CommandError) as no:
        check_subject(bad, wildcards)
    assert says in no.value.what
    assert hint in no.value.hint


@pytest.mark.parametrize(
    ("bad", "hint"), [(">.x", ">"), ("a.>.b", "a.>"), ("a*.b", "*.b"), ("a.b>", "a.>"), ("foo.b*r", "foo.*")]
)
def test_wildcards_that_would_match_nothing(bad: str, hint: str) -> None:
    with pytest.raises(CommandError) as no:
        check_subject(bad, wildcards=True)
    assert hint in no.value.hint
    check_subject(bad)  # a publish takes them as text, as the server does
