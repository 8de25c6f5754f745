"""What a lab of several servers is described as: names, wires, configurations."""

from __future__ import annotations

from pathlib import Path

import pytest

from natslab.errors import LabError
from natslab.servers.config import Config, Logins
from natslab.servers.topology import (
    Topology,
    Wire,
    WireType,
    cluster,
    leafnodes,
    single,
    supercluster,
)


def configs(topology: Topology) -> dict[str, Config]:
    """With ports that say which server finds which: 1 2 for the second found by the first."""

    def dial(type: WireType, a: str, b: str) -> int:
        return 10_000 + 100 * topology.names.index(a) + topology.names.index(b)

    return topology.configs(Logins.fresh(), Path("/nowhere"), None, dial)


def test_a_single_server_has_nothing_of_a_cluster() -> None:
    topology = single()
    assert topology.links == ()
    text = configs(topology)["n1"].text()
    for word in ("cluster", "gateway", "leafnodes", "domain", "advertise"):
        assert word not in text


def test_a_cluster() -> None:
    topology = cluster(3)
    assert topology.names == ("n1", "n2", "n3")
    assert topology.links == (Wire("n1", "n2"), Wire("n1", "n3"), Wire("n2", "n3"))
    assert [topology.cluster_of(name) for name in topology.names] == ["C1"] * 3
    for at, (name, made) in enumerate(configs(topology).items()):
        assert made.cluster is not None
        others = [10_000 + 100 * at + other for other in range(3) if other != at]
        assert list(made.cluster.routes) == others, f"{name} must not dial itself"
        text = made.text()
        assert 'advertise: "127.0.0.1:1"' in text
        assert "no_advertise" not in text  # clients would not hear of the other servers
        assert "pool_size: -1" in text


def test_without_wires_servers_find_each_other_directly() -> None:
    topology = cluster(2, wires=False)
    assert topology.links == () and len(topology.pairs) == 1
    first, second = configs(topology).values()
    assert first.cluster is not None and second.cluster is not None
    assert first.cluster.routes == (10_001,) and second.cluster.port == 10_101
    assert "advertise" not in first.text()


def test_a_supercluster() -> None:
    topology = supercluster({"EAST": 2, "WEST": 1})
    assert topology.names == ("EAST-n1", "EAST-n2", "WEST-n1")
    assert topology.links == (
        Wire("EAST-n1", "EAST-n2"),
        Wire("EAST-n1", "WEST-n1", "gateway"),
        Wire("EAST-n2", "WEST-n1", "gateway"),
    )
    made = configs(topology)
    gateway = made["WEST-n1"].gateway
    assert gateway is not None and gateway.remotes == {"EAST": (10_200, 10_201)}
    assert made["EAST-n1"].gateway is not None
    assert made["EAST-n1"].gateway.remotes == {"WEST": (10_002,)}
    assert 'advertise: "127.0.0.1:1"' in made["WEST-n1"].text().partition("gateway {")[2]


def test_leafnodes() -> None:
    topology = leafnodes("hub", ("edge1", "edge2"))
    assert topology.names == ("hub", "edge1", "edge2")
    assert topology.links == (Wire("edge1", "hub", "leafnode"), Wire("edge2", "hub", "leafnode"))
    made = configs(topology)
    assert made["hub"].leafs is not None and made["hub"].remote is None
    assert made["edge1"].remote is not None and made["edge1"].remote.ports == (10_100,)
    assert [one.domain for one in made.values()] == ["hub", "edge1", "edge2"]
    assert "compression: off" in made["edge1"].text() and "compression: off" in made["hub"].text()
    assert "cluster {" not in made["hub"].text()
    users = {name: [user.name for user in one.account("A").users] for name, one in made.items()}
    assert users == {"hub": ["app", "leaf"], "edge1": ["app"], "edge2": ["app"]}


def test_leafnodes_of_a_cluster() -> None:
    topology = leafnodes("main", ("edge1",), servers=3)
    assert topology.names == ("n1", "n2", "n3", "edge1")
    assert topology.links[3:] == tuple(Wire("edge1", hub, "leafnode") for hub in ("n1", "n2", "n3"))
    assert topology.home == ("n1", "n2", "n3")
    made = configs(topology)
    assert made["edge1"].remote is not None and len(made["edge1"].remote.ports) == 3
    assert {name: one.domain for name, one in made.items()} == {
        "n1": "main", "n2": "main", "n3": "main", "edge1": "edge1",
    }  # fmt: skip


def test_where_clients_are_at_home() -> None:
    assert single().home == ("n1",)
    assert cluster(2).home == ("n1", "n2")
    assert supercluster({"EAST": 2, "WEST": 1}).home == ("EAST-n1", "EAST-n2")
    assert leafnodes("hub", ("edge1",)).home == ("hub",)


def test_one_more_and_one_less() -> None:
    assert cluster(2).with_server("n3", "C1") == cluster(3)
    assert cluster(3).without("n3") == cluster(2)
    assert leafnodes().with_server("edge2") == leafnodes("hub", ("edge1", "edge2"))
    assert leafnodes("hub", ("edge1", "edge2")).without("edge2") == leafnodes()
    grown = leafnodes("main", ("e",), servers=2).with_server("n3", "main")
    assert grown.hubs == {"e": ("n1", "n2", "n3")}


def test_what_is_common_is_everywhere() -> None:
    topology = cluster(2, port=4999, max_payload=2048, mappings={"a": "b"}, http=True)
    first, second = configs(topology).values()
    assert first.port == 4999 and second.port == -1
    assert {one.max_payload for one in (first, second)} == {2048}
    assert {one.account("A").mappings["a"][0].subject for one in (first, second)} == {"b"}


def test_a_cluster_of_one_has_a_route_to_nowhere() -> None:
    """Without any route JetStream would not start."""
    text = configs(cluster(1))["n1"].text()
    assert '@127.0.0.1:1"]' in text


def test_equal_descriptions_are_equal() -> None:
    assert cluster(3) == cluster(3)
    assert cluster(3) != cluster(3, wires=False)
    assert supercluster({"A": 1, "B": 1}) != supercluster({"B": 1, "A": 1})
    assert leafnodes() == leafnodes("hub", ("edge1",))


@pytest.mark.parametrize(
    "make",
    [
        lambda: cluster(0),
        lambda: cluster(10),
        lambda: supercluster({"EAST": 3}),
        lambda: supercluster({"EAST": 0, "WEST": 3}),
        lambda: supercluster({"EAST": 9, "WEST": 9}),
        lambda: supercluster({"a b": 1, "WEST": 1}),
        lambda: supercluster({"": 1, "WEST": 1}),
        lambda: leafnodes("hub", ()),
        lambda: leafnodes("hub", ("hub",)),
        lambda: leafnodes("hub", ("e", "e")),
        lambda: leafnodes("hub", ("n2",), servers=3),
        lambda: leafnodes("hub", ("e",), servers=9),
        lambda: leafnodes("../hub", ("e",)),
    ],
)
def test_what_makes_no_sense_is_a_sentence(make: object) -> None:
    with pytest.raises(LabError) as refused:
        make()  # type: ignore[operator]
    assert refused.value.what.endswith(".") and refused.value.hint


def test_passwords_of_the_wires_are_masked() -> None:
    from natslab.servers import config

    for topology in (cluster(2), supercluster({"A": 1, "B": 1}), leafnodes()):
        for one in configs(topology).values():
            text = one.text()
            masked, hidden = config.mask(text)
            passwords = {user.password for account in one.accounts for user in account.users}
            assert not [password for password in passwords if password in masked]
            assert one.cluster is None or one.cluster.password not in masked
            assert config.unmask(masked, hidden) == text
