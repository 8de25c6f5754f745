import contextlib
import dataclasses
import subprocess
from pathlib import Path

import nats
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from natslab.errors import LabError
from natslab.loop import run
from natslab.servers import binary, config, quoting
from natslab.servers.config import Account, Config, Logins, Target, User
from natslab.servers.fleet import Fleet
from natslab.servers.topology import single

NASTY = [
    '"',
    "'",
    "\\",
    '"}\n',
    "${HOME}",
    "$PATH",
    "# no",
    "// no",
    "a b",
    "\x00",
    "\t\r\n",
    "é☃",
    "(",
    "100%",
]


def a_config(folder: Path, **changes: object) -> Config:
    made = single().configs(Logins.fresh(), folder, None)["n1"]
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]


def accepted(text: str, folder: Path) -> bool:
    """Whether nats-server itself takes it as a configuration."""
    file = folder / "c.conf"
    file.write_text(text, encoding="utf-8")
    done = subprocess.run([binary.find(), "-t", "-c", file], capture_output=True, check=False)
    return done.returncode == 0


def test_nats_server_takes_it(tmp_path: Path) -> None:
    mappings = {
        "orders.new": (Target("orders.v2.new"),),
        "split": (Target("split.a", 70), Target("split.b", 20)),
        "near": (Target("near.east", 100, cluster="east"),),
    }
    topology = single(port=4999, http=True, max_payload=2048, mappings=mappings)
    text = topology.configs(Logins.fresh(), tmp_path, None)["n1"].text()
    assert accepted(text, tmp_path), text
    assert 'http: "127.0.0.1:-1"' in text
    assert 'listen: "127.0.0.1:4999"' in text
    assert not accepted(text + "max_paload: 1", tmp_path)


@given(st.text(max_size=30) | st.sampled_from(NASTY))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_breaks_out(tmp_path: Path, foreign: str) -> None:
    marked = foreign + "end"
    account = Account("X", users=(User(marked, marked, publish_allow=("a.b",)),))
    text = a_config(tmp_path).with_account(account).text()
    assert accepted(text, tmp_path), text


@given(st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=20))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_key_breaks_out(tmp_path: Path, foreign: str) -> None:
    try:
        quoted = quoting.key(foreign)
    except LabError:  # keys have no escapes
        return
    text = a_config(tmp_path).text() + f"server_metadata {{ {quoted}: x }}\n"
    assert accepted(text, tmp_path), text


def test_keys_and_values_arrive_whole(fleet: Fleet) -> None:
    """Free text in a block that the server shows again."""
    server = fleet.servers["n1"]
    said = {}
    for number, nasty in enumerate([*NASTY, "include x", "true", "0x1", "-5", "2026-01-01T00:00:00Z"]):
        said[f"k{number}"] = nasty
        with contextlib.suppress(LabError):
            quoting.key(nasty)
            said[nasty] = "v"
    rows = "".join(f"  {quoting.key(key)}: {quoting.quote(value)}\n" for key, value in said.items())
    # Not reloadable, so by way of the file that a restart reads.
    server._text = server.config.text() + f"server_metadata {{\n{rows}}}\n"
    run(server.restart())
    assert run(fleet.ask("n1", "varz"))["metadata"] == said


def test_foreign_text_arrives_whole(fleet: Fleet) -> None:
    password = "".join(NASTY) + 'x"]}}\nauthorization {}'
    server = fleet.servers["n1"]
    run(server.reload(server.config.with_account(Account("X", users=(User('o"d', password),)))))

    async def connects(said: str) -> bool:
        login = {"servers": fleet.login()["servers"], "user": 'o"d', "password": said}
        try:
            client = await nats.connect(**login, allow_reconnect=False, error_cb=_quiet)
        except nats.errors.Error:
            return False
        await client.close()
        return True

    assert run(connects(password))
    assert not run(connects(password + "!"))


async def _quiet(_: Exception) -> None:
    pass


def test_half_a_character(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="not valid text"):
        a_config(tmp_path, name="\ud800").text()


def test_masks_come_back(tmp_path: Path) -> None:
    text = a_config(tmp_path).with_account(Account("X", users=(User("u", 'p"w, x'),))).text()
    text += "authorization { token = t0ken, password 'single' }\n"
    masked, hidden = config.mask(text)
    for secret in (
        "p\\",
        "t0ken",
        "single",
        *(text.split('password: "')[n].split('"')[0] for n in (1, 2, 3)),
    ):
        assert secret in text
        assert secret not in masked
    assert config.unmask(masked, hidden) == text


def test_passwords_are_new_each_time_and_not_in_a_repr(tmp_path: Path) -> None:
    one, other = Logins.fresh(), Logins.fresh()
    assert len({*vars(one).values(), *vars(other).values()}) == 8
    shown = repr(single().configs(one, tmp_path, None)) + repr(one)
    assert not any(password in shown for password in vars(one).values())


def test_mappings_are_replaced_whole(tmp_path: Path) -> None:
    first = a_config(tmp_path).with_mappings({"a": (Target("b"),)})
    second = first.with_mappings({"c": (Target("d"),)})
    assert '"a": "b"' in first.text()
    assert '"a": "b"' not in second.text()
    assert '"c": "d"' in second.text()
    with pytest.raises(LabError, match="no account 'Z'"):
        first.with_mappings({}, account="Z")
