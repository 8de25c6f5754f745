"""Why a message left a stream: the words for it, and what follows from the limits where nobody told."""

from __future__ import annotations

from natslab.views.stream.state import Gone, Slot, Stream

#: The reason under a ghost: short, for it stands beside a slot.
SHORT = {
    "max_age": "max_age",
    "max_msgs": "max_msgs",
    "max_bytes": "max_bytes",
    "max_msgs_per_subject": "shelf was full",
    "ttl": "its TTL",
    "rollup": "rollup",
    "acked": "acked",
    "terminated": "terminated",
    "no interest": "no consumer",
    "consumer deleted": "consumer gone",
    "deleted": "deleted",
    "purged": "purged",
    "marker": "marker",
    "new max_msgs": "new limit",
    "new max_bytes": "new limit",
    "new max_msgs_per_subject": "new limit",
    "restart": "restart",
}
#: As the end of "4 messages ...".
LONG = {
    "max_age": "fell to max_age",
    "max_msgs": "fell to max_msgs",
    "max_bytes": "fell to max_bytes",
    "max_msgs_per_subject": "made room on the shelf",
    "ttl": "reached their own TTL",
    "rollup": "rolled up",
    "acked": "acked",
    "terminated": "terminated",
    "no interest": "had no consumer",
    "consumer deleted": "went when their consumer was deleted",
    "deleted": "deleted",
    "purged": "purged",
    "marker": "replaced by a marker",
    "new max_msgs": "fell to the new max_msgs",
    "new max_bytes": "fell to the new max_bytes",
    "new max_msgs_per_subject": "fell to the new limit of the shelf",
    "restart": "gone with the server's memory",
    "": "gone, not known why",
}
LIMITS = ("max_age", "max_msgs", "max_bytes", "max_msgs_per_subject")


#: A whole cause, as in a row of the table.
WHOLE = {"no interest": "it had no consumer", "consumer deleted": "its consumer was deleted"}


def guess(stream: Stream, slot: Slot, now: float) -> str:
    """Why a message is gone of which no source said so; "" where the limits do not tell."""
    limits, readers = stream.limits, list(stream.readers.values())
    due = stream.expires(slot)
    if due and due <= now + 0.5:
        return "ttl" if slot.ttl > 0 and (not limits.age or slot.ttl < limits.age) else "max_age"
    if limits.retention == "interest":
        wanting = [r for r in readers if r.wants(slot.subject)]
        if not wanting:  # what is kept was kept for somebody
            return "no interest" if stream.by_events or slot.seq not in stream.slots else ""
        if all(r.settled(slot.seq) for r in wanting):
            return "acked"
    if limits.retention == "workqueue" and any(r.settled(slot.seq) for r in readers):
        return "acked"
    if limits.discard == "old" or limits.per_subject:
        shelf = stream.subjects.get(slot.subject, 0)
        if limits.per_subject and shelf > limits.per_subject:
            return "max_msgs_per_subject"
        if limits.msgs and stream.counted > limits.msgs:
            return "max_msgs"
        if limits.bytes and stream.full == "max_bytes":
            return "max_bytes"
    return ""


def made_room(stream: Stream, gone: Gone) -> int:
    """The message that took the place of one that fell to a limit of messages; 0 where that is not known."""
    if gone.seq != gone.last:
        return 0
    if gone.why == "max_msgs_per_subject":
        most = stream.limits.per_subject
        after = [s for s in stream.slots.values() if s.seq > gone.seq and s.subject == gone.subject]
        went = [
            g.seq for g in stream.gone if g.seq > gone.seq and g.subject == gone.subject and g.why == gone.why
        ]
        seqs = sorted([s.seq for s in after] + went)
    elif gone.why == "max_msgs":
        most = stream.limits.msgs
        seqs = sorted([*(s for s in stream.slots if s > gone.seq)]
                      + [g.seq for g in stream.gone if g.seq > gone.seq and g.why == gone.why])  # fmt: skip
    else:
        return 0
    return seqs[most - 1] if 0 < most <= len(seqs) else 0
