"""What is in one stream, as far as it is known, and why what is not any more has gone.

Fed with what came in, in order, and with the server's counters; gives back what went, with the reason.
Where a limit alone decides (max_msgs, max_bytes, max_msgs_per_subject, discard old) and every message of
the stream is known singly, it says so at once, before the counters do.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from natslab.tape.event import How
from natslab.tape.subject import matches

KNOWN = 5_000  # messages that are known singly; of older ones the number only
# Reasons that a request or an ack, which is still on its way, may correct.
_UNTOLD = ("deleted", "acked", "terminated", "no interest", "consumer deleted", "")
_LIMITS = ("max_msgs", "max_bytes", "max_msgs_per_subject")
RECENT = 2.0  # seconds in which a request explains what went


class Known(NamedTuple):
    """What must be known of a message to say later why it went."""

    subject: str
    at: float  # unix seconds
    length: int = 0  # bytes on disk; 0: not known
    ttl: float = 0.0  # seconds; 0: none of its own
    marker: bool = False  # it says that another one went


class Gone(NamedTuple):
    """Messages `seq` ... `last` went, `number` of them; seq 0: not known which."""

    seq: int
    last: int
    number: int
    why: str
    how: How


class Done(NamedTuple):
    """That consumers are done with a message."""

    at: float = 0.0  # unix seconds of the last answer
    why: str = "acked"  # or terminated: that answer
    by: frozenset[str] = frozenset()  # whose answers were seen


@dataclass(slots=True)
class Purge:
    """A purge that somebody asked for; 0 and "" say nothing."""

    at: float  # unix seconds
    subject: str
    below: int
    left: int  # messages that it took and that were not told
    vague: bool = False  # what was asked for is not known


class Book:
    """One stream.

    Parameters
    ----------
    config: the stream's configuration in the server's words.
    blind: nothing tells of single messages that are taken out; only the counters do.
    """

    def __init__(self, config: dict[str, Any], *, blind: bool = False) -> None:
        self.config = config
        self.blind = blind
        self.known: dict[int, Known] = {}
        self.messages = 0  # known or not
        self.first = 0  # lowest sequence that may be there
        self.last = 0  # highest sequence that came
        self.bytes = 0  # of the known ones
        self.acked: dict[int, Done] = {}  # what a consumer was done with, where that takes it out
        self.rollup: tuple[int, str] = (0, "")  # the newest one: its sequence, its subject ("": all)
        self._subjects: dict[str, deque[int]] = {}
        self._deleted: dict[int, float] = {}
        self._unnamed: deque[float] = deque(maxlen=100)  # deletions of which it is not known what went
        self._purges: deque[Purge] = deque(maxlen=20)
        self._unread: dict[int, float] = {}  # the same of what was never read
        self._puzzling = 0  # missing in the last report, and not told
        self._left: dict[str, float] = {}  # consumers that were deleted: name -> when, unix seconds
        self._lowered: dict[str, float] = {}  # limits that were lowered: name -> when that was noticed
        self._erased: dict[int, float] = {}  # taken out, the reason may still be told: seq -> when noticed

    # --- what is told ------------------------------------------------------------------------

    def deleted(self, seq: int) -> None:
        """Somebody deleted that message; 0: it is not known which."""
        if not seq:
            self._unnamed.append(time.time())
            return
        self._deleted[seq] = time.time()
        while len(self._deleted) > 1_000:
            del self._deleted[next(iter(self._deleted))]

    def purged(self, purge: Purge) -> None:
        """Somebody purged."""
        self._purges.append(purge)

    def configure(self, config: dict[str, Any]) -> None:
        """The stream's configuration is that now."""
        for name in _LIMITS:
            old, new = int(self.config.get(name) or 0), int(config.get(name) or 0)
            if new > 0 and (old <= 0 or new < old):
                self._lowered[name] = time.time()
        self.config = config

    def deserted(self, consumer: str, at: float) -> None:
        """That consumer was deleted, at that unix time."""
        if at - self._left.get(consumer, 0.0) > RECENT:  # else it is told a second time
            self._left[consumer] = at
        while len(self._left) > 100:
            del self._left[next(iter(self._left))]

    def done(self, seq: int, consumer: str, at: float, *, term: bool = False, below: bool = False) -> None:
        """A consumer acked or terminated that message, at that unix time; `below`: and all before it."""
        if self.config.get("retention") in ("workqueue", "interest"):
            for one in [*(one for one in self.known if below and one < seq), seq]:
                by = self.acked.get(one, Done()).by | {consumer}
                self.acked[one] = Done(at, "terminated" if term else "acked", by)
            while len(self.acked) > KNOWN:
                del self.acked[next(iter(self.acked))]

    # --- what came and went ------------------------------------------------------------------

    def stored(self, seq: int, known: Known) -> list[Gone]:
        """That message came; what went for it, by a limit."""
        if seq in self.known:
            return []
        self.first = self.first or seq
        self.last = max(self.last, seq)
        self.messages += 1
        self.known[seq] = known
        self.bytes += known.length
        self._subjects.setdefault(known.subject, deque()).append(seq)
        out = self._limits(known)
        if len(self.known) > KNOWN:
            self._forget(next(iter(self.known)))
        return out

    def counted(self, last: int, count: int) -> None:
        """So many came, up to `last`, of which no more is known."""
        self.first = self.first or last - count + 1
        self.last = max(self.last, last)
        self.messages += count

    def missed(self, last: int) -> None:
        """What came up to `last` had gone, or was not kept, before it was read; `settle` says why."""
        first = max(self.last + 1, last - KNOWN)
        if last >= first:
            now = time.time()
            self._unread |= dict.fromkeys(range(first, last + 1), now)
            self.first, self.last = self.first or first, last

    def erased(self, seq: int) -> None:
        """The message was taken out; `settle` says why, when it is known or was waited for."""
        if seq in self.known or (len(self.known) < self.messages and self.first <= seq):
            self._erased.setdefault(seq, time.time())

    def settle(self, patience: float = 0.0) -> list[Gone]:
        """Why what was taken out is gone. One without a told reason waits `patience` seconds for it."""
        out = []
        now = time.time()
        for seq, at in tuple(self._erased.items()):
            why, how = self._reason(seq)
            if how == "inferred" and why in _UNTOLD and now - at < patience:
                continue
            del self._erased[seq]
            self._take(seq, why)
            out.append(Gone(seq, seq, 1, why, how))
        for seq, at in tuple(self._unread.items()):
            why, how = self._reason(seq)
            if how == "inferred" and why == "deleted" and now - at < patience:
                continue
            del self._unread[seq]
            out.append(Gone(seq, seq, 1, why, how))
        return merged(sorted(out))

    def reconcile(self, state: dict[str, Any]) -> list[Gone]:
        """What went according to the server's counters, for everything up to their last_seq."""
        last, first = int(state["last_seq"]), int(state["first_seq"])
        self.first = self.first or first
        newer = max(0, self.last - last)  # the files are read after the counters
        untold = max(0, last - self.last)
        out: list[Gone] = []
        for seq in [seq for seq in self.known if seq < first and seq not in self._erased]:
            why, how = self._reason(seq, limits=True)
            if why in _UNTOLD and self._evident(seq) is None:
                self._erased[seq] = time.time()
                continue
            self._take(seq, why)
            out.append(Gone(seq, seq, 1, why, how))
        excess = self.messages - newer - (int(state["messages"]) - untold) - len(self._erased)
        if excess > 0 and self.blind:
            for seq in list(self.known):
                evident = self._evident(seq) if excess > 0 else None
                if evident is not None:
                    self._take(seq, evident[0])
                    excess -= 1
                    out.append(Gone(seq, seq, 1, *evident))
        out = merged(sorted(out))
        # What nothing explains is told when the next report says so too: the cause may be on its way.
        before, self._puzzling = self._puzzling, excess
        if excess < 0 and before == excess and not newer and not untold:
            self.messages -= excess  # more than was told: the counters are right
            self._puzzling = 0
        excess = min(excess, before)
        if excess > 0:
            self._puzzling -= excess
            why, how = self._reason(0, limits=True)
            below = min(first, min(self.known, default=first))
            fits = below - self.first >= excess
            self.messages -= excess
            out.append(Gone(self.first if fits else 0, below - 1 if fits else 0, excess, why, how))
        self.first = max(self.first, first)
        return out

    def settles(self, messages: int, last: int) -> bool:
        """Whether nothing that went is untold, by a report of so many messages up to `last`."""
        return not self._erased and not self._unread and (self.last > last or self.messages == messages)

    # --- how ---------------------------------------------------------------------------------

    def _take(self, seq: int, why: str = "") -> None:
        if why == "purged":
            purge = next((purge for purge in self._purges if self._purge(purge, seq)), None)
            if purge is not None:
                purge.left -= 1
        if why == "deleted" and seq not in self._deleted and self._unnamed:
            self._unnamed.popleft()
        self._forget(seq)
        self.acked.pop(seq, None)
        self._deleted.pop(seq, None)
        self.messages -= 1

    def _forget(self, seq: int) -> None:
        known = self.known.pop(seq, None)
        if known is not None:
            self.bytes -= known.length
            same = self._subjects.get(known.subject)
            if same is not None:
                if same[0] == seq:
                    same.popleft()
                else:
                    same.remove(seq)
                if not same:
                    del self._subjects[known.subject]

    def _limits(self, new: Known) -> list[Gone]:
        if self.config.get("discard") != "old" and self.config.get("discard_new_per_subject"):
            return []
        out = []
        # Measured: with discard new, too, a subject at its own limit replaces its oldest.
        each = int(self.config.get("max_msgs_per_subject") or 0)
        same = self._subjects[new.subject]
        while 0 < each < len(same):
            seq = same[0]
            self._erased.pop(seq, None)
            self._take(seq)
            out.append(Gone(seq, seq, 1, self._fell("max_msgs_per_subject", new), "inferred"))
        if self.config.get("discard") != "old":
            return out
        most, large = int(self.config.get("max_msgs") or 0), int(self.config.get("max_bytes") or 0)
        while len(self.known) == self.messages > 1:  # all are known
            if 0 < most < self.messages:
                why = "max_msgs"
            elif 0 < large < self.bytes and new.length:
                why = "max_bytes"
            else:
                break
            seq = next(iter(self.known))
            self._erased.pop(seq, None)
            self._take(seq)
            out.append(Gone(seq, seq, 1, self._fell(why, new), "inferred"))
        return out

    def _fell(self, limit: str, new: Known) -> str:
        """To what a message fell that is over a limit: to one that came, or to the limit's being lowered."""
        at = self._lowered.get(limit, 0.0)
        return f"new {limit}" if new.at < at and time.time() - at < RECENT else limit

    def _reason(self, seq: int, limits: bool = False) -> tuple[str, How]:
        """Why that message went; `limits`: whether it may have been a limit."""
        evident = self._evident(seq)
        if evident is not None:
            return evident
        if self.config.get("retention") == "workqueue":
            return "acked", "inferred"
        if self.config.get("retention") == "interest":
            if self._bereft(seq):
                return "consumer deleted", "inferred"
            # What was kept was kept for somebody.
            return ("no interest" if self.blind or seq not in self.known else "acked"), "inferred"
        if limits:
            if seq not in self.known and _seconds(self.config.get("max_age")):
                return "max_age", "inferred"
            whole = ("max_msgs", "max_bytes") if self.config.get("discard") == "old" else ()
            for why in (*whole, "max_msgs_per_subject"):
                if int(self.config.get(why) or 0) > 0:
                    return why, "inferred"
            return "", "inferred"
        return "deleted", "inferred"

    def _bereft(self, seq: int) -> bool:
        """Whether that message may have gone with a consumer for which it was kept."""
        known, done = self.known.get(seq), self.acked.get(seq, Done())
        if known is None or self.config.get("retention") != "interest":
            return False
        return any(at > max(known.at, done.at) and name not in done.by for name, at in self._left.items())

    def _over(self, known: Known) -> str:
        """The limit that was lowered just now and that takes that message out; "" when none does."""
        now = time.time()
        for name in [name for name, at in self._lowered.items() if known.at < at and now - at < RECENT]:
            most = int(self.config.get(name) or 0)
            each = name == "max_msgs_per_subject"
            there = len(self._subjects.get(known.subject, ())) if each else self.messages
            if (0 < most < there or (name == "max_bytes" and most)) and (
                each or self.config.get("discard") == "old"
            ):
                return f"new {name}"
        return ""

    def _purge(self, purge: Purge, seq: int) -> bool:
        """Whether that purge may have taken that message."""
        known = self.known.get(seq)
        return (
            purge.left > 0
            and time.time() - purge.at < RECENT
            and (not purge.below or seq < purge.below)
            and (not purge.subject or (known is not None and matches(purge.subject, known.subject)))
            and (known is None or known.at < purge.at)
        )

    def _evident(self, seq: int) -> tuple[str, How] | None:
        """Why that message went, if it went, as far as something speaks for it."""
        if seq in self._deleted:
            return "deleted", "observed"
        known = self.known.get(seq)
        if any(self._purge(purge, seq) for purge in self._purges if not purge.vague):
            return "purged", "observed"
        if seq in self.acked:
            return "consumer deleted" if self._bereft(seq) else self.acked[seq].why, "inferred"
        return (self._by_itself(seq, known) if known is not None else None) or self._somehow(seq)

    def _somehow(self, seq: int) -> tuple[str, How] | None:
        """Why that message may have gone: somebody took something out, it is not known what."""
        if any(self._purge(purge, seq) for purge in self._purges if purge.vague):
            return "purged", "inferred"
        if self._unnamed and time.time() - self._unnamed[0] < RECENT:
            return "deleted", "inferred"
        return None

    def _by_itself(self, seq: int, known: Known) -> tuple[str, How] | None:
        """Why a message may have gone without anybody's doing."""
        now = time.time()
        if known.marker:
            return "marker", "inferred"
        if known.ttl and now >= known.at + known.ttl:
            return "ttl", "inferred"
        rolled, subject = self.rollup
        if seq < rolled and subject in ("", known.subject):
            return "rollup", "inferred"
        age = _seconds(self.config.get("max_age"))
        if age and now >= known.at + age:
            return "max_age", "inferred"
        over = self._over(known)
        return (over, "inferred") if over else None


def merged(gone: Iterable[Gone]) -> list[Gone]:
    """Neighbours that went for one reason as one."""
    out: list[Gone] = []
    for one in gone:
        if out and out[-1].last + 1 == one.seq and out[-1][3:] == one[3:]:
            out[-1] = out[-1]._replace(last=one.last, number=out[-1].number + one.number)
        else:
            out.append(one)
    return out


def _seconds(ns: object) -> float:
    return int(str(ns or 0)) / 1e9
