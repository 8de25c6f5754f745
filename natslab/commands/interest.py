"""That a subscription is known to the other servers of a lab, so that a publish in the next line reaches it.

A server tells its neighbours at once what its clients ask for; they know it a millisecond or two later.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable

from natslab.errors import NatslabError
from natslab.servers.fleet import Fleet

WITHIN = 1.0  # seconds; a server that does not know of it by then is cut off in a way of its own
_PAUSE = 0.005  # seconds between two looks
_REPORTS = {"route": ("routez", "routes", "remote_name"), "leafnode": ("leafz", "leafs", "name")}


async def spread(fleet: Fleet, place: str, subjects: Iterable[str]) -> None:
    """Wait, at most a second, until the servers that `place` reaches know that it asks for `subjects`.

    Gateways are left out: they pass everything on until they are told that it is not asked for (server).
    """
    if not fleet.links or place not in fleet.servers:
        return
    wanted, seen, left = set(subjects), {place}, deque([place])
    try:
        async with asyncio.timeout(WITHIN):
            while left:
                teller = left.popleft()
                for link in fleet.links.values():
                    if teller not in link.names or not link.connected or link.type not in _REPORTS:
                        continue
                    told = link.b if teller == link.a else link.a
                    if told in seen or link.state not in ("open", "delayed"):
                        continue
                    seen.add(told)
                    if fleet.servers[told].state == "up" and await _told(
                        fleet, link.type, teller, told, wanted
                    ):
                        left.append(told)
    except TimeoutError:
        return


async def _told(fleet: Fleet, type: str, teller: str, told: str, wanted: set[str]) -> bool:
    """Wait until `told` says that `teller` asks for all that is wanted; False when it cannot be asked."""
    what, rows, name = _REPORTS[type]
    while True:
        try:
            report = await fleet.ask(told, what, subscriptions=True)
        except NatslabError:
            return False
        known = {
            s for row in report[rows] or [] if row[name] == teller for s in row.get("subscriptions_list", ())
        }
        if wanted <= known:
            return True
        await asyncio.sleep(_PAUSE)
