"""Topology: which servers there are, what connects them, who is connected to them, what lets nothing through.

For lessons:

    state.nodes["n1"]            Node(state="up", cluster="C1", domain="", ...)
    state.wires["n1>n2"]         Wire(type="route", state="open" | "cut" | "held" | "delayed", ...); .there
    state.routes                 {"n1": ["n2", "n3"], ...}: in each server's own words; so gateways, leafs
    state.connected              {"n1": ["billing", "shop"], ...}: the clients of each server
    state.nodes[...].live        whether it serves
    sides(state, "C1")           [["n1", "n2"], ["n3"]]: the parts into which cut wires divide a cluster
    leader_of(state, "")         who leads the meta group of a domain, e.g. "n2"
    Wire.rates(state.now)        messages per second there and back

The sentence depends on names and states alone; rates are in picture and table, ages in the picture.
"""

from natslab.views.topology.fold import fold
from natslab.views.topology.graph import dot
from natslab.views.topology.picture import SOURCES, TITLE, draw
from natslab.views.topology.sides import sides
from natslab.views.topology.state import Client, Node, State, Wire, leader_of, start
from natslab.views.topology.table import table
from natslab.views.topology.words import describe

__all__ = [
    "SOURCES",
    "TITLE",
    "Client",
    "Node",
    "State",
    "Wire",
    "describe",
    "dot",
    "draw",
    "fold",
    "leader_of",
    "sides",
    "start",
    "table",
]
