"""The CLI's body templates."""

from __future__ import annotations

import re
import time

import pytest

from natslab.commands.templates import Template
from natslab.errors import CommandError


@pytest.mark.parametrize("sign", ["{{Count}}", "{{.Count}}", "{{ Count }}", "{{ .Count }}", "{{Cnt}}"])
def test_count_with_and_without_the_dot(sign: str) -> None:
    assert Template(f"n {sign}!").render(7) == "n 7!"


def test_times() -> None:
    before = int(time.time())
    assert before <= int(Template("{{Unix}}").render(1)) <= before + 5
    assert before * 10**9 <= int(Template("{{UnixNano}}").render(1))
    assert re.fullmatch(r"\d{1,2}:\d\d[AP]M", Template("{{Time}}").render(1))
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)", Template("{{TimeStamp}}").render(1)
    )


def test_ids_differ() -> None:
    template = Template("{{ID}}")
    assert len({template.render(i) for i in range(100)}) == 100
    assert not template.constant


def test_random() -> None:
    sizes = {len(Template("{{Random 10 20}}").render(i)) for i in range(300)}
    assert sizes == set(range(10, 20))  # as the CLI: the upper bound is exclusive
    assert len(Template("{{ Random 5 5 }}").render(1)) == 5
    assert Template("{{Random 3 9}}").render(1).isalnum()
    assert Template("{{Random 0 0}}").render(1) == ""


def test_random_has_a_limit() -> None:
    with pytest.raises(CommandError, match="8 MiB"):
        Template("{{Random 1 99999999999}}")


def test_request_only_where_there_is_one() -> None:
    assert Template("got {{Request}}", request=True).render(0, "hi") == "got hi"
    assert Template("got {{.Request}}", request=True).render(0, "{{Count}}") == "got {{Count}}"
    template = Template("got {{Request}}")
    assert template.render(0) == "got {{Request}}"
    assert template.unknown == ["{{Request}}"]


@pytest.mark.parametrize(
    "text",
    [
        "{{wildcard(1)}}",
        "{{Nope}}",
        "{{Random a b}}",
        "{{Random 1}}",
        "{{Count 3}}",
        "{{}}",
        "{Count}",
        "{{1}}",
    ],
)
def test_other_braces_are_data(text: str) -> None:
    assert Template(text).render(1) == text


def test_the_quick_way_says_the_same() -> None:
    for text in ("n {{Count}}", "100% of {{.Count}} and {{Cnt}}", "é {{Count}}", "plain"):
        template = Template(text)
        form = template.counting()
        assert form is not None
        holes = form.replace(b"%%", b"").count(b"%d")
        assert (form % ((7,) * holes)).decode() == template.render(7)
    assert Template("{{Count}} {{ID}}").counting() is None


def test_constant() -> None:
    assert Template("hello").constant
    assert not Template("{{Count}}").constant
