"""Which subjects a subscription's pattern matches; the same answers as the server's own matcher.

A subject is tokens joined by dots. In a pattern `*` stands for exactly one token and `>`, as the
last token, for one or more (NATS docs, "Subject-Based Messaging"). In a published subject both are
ordinary text: the server delivers a message published to `a.*` to the subscribers of `a.*` and `a.>`.
"""

from __future__ import annotations


def tokens(subject: str) -> list[str]:
    """The parts of a subject or pattern."""
    return subject.split(".")


def matches(pattern: str, subject: str) -> bool:
    """Whether a subscription to `pattern` receives a message published to `subject`."""
    if pattern == subject:
        return True
    wanted, given = pattern.split("."), subject.split(".")
    for i, want in enumerate(wanted):
        if want == ">" and i == len(wanted) - 1:
            return len(given) > i
        if i >= len(given) or want not in ("*", given[i]):
            return False
    return len(wanted) == len(given)


def overlaps(a: str, b: str) -> bool:
    """Whether some subject exists that both patterns match."""
    left, right = a.split("."), b.split(".")
    for i in range(max(len(left), len(right))):
        if i >= len(left) or i >= len(right):
            return False
        if left[i] == ">" or right[i] == ">":
            return True
        if left[i] != right[i] and "*" not in (left[i], right[i]):
            return False
    return True
