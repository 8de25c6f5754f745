"""What JetStream's error codes mean, in sentences with the names that the request used.

The codes are nats-server's (server/errors.json of 2.15); the sentences are ours. Codes that only a
broken server or a wrong client can cause are not here: then the server's own words are shown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_NOTHING = "Nothing was changed."
_CLUSTER = (
    "Only a cluster can do that, and this server is alone",
    "A lab of three servers: %natslab down, and then %natslab up --servers 3",
)

#: code -> what was wrong, what to do. Names in braces come from the request, see `_Names`.
MEANINGS: dict[int, tuple[str, str]] = {
    10000: (
        "The account has used up what it may use of JetStream",
        "Remove messages, or raise the account's limits.",
    ),
    10001: ("The server takes no JetStream requests any more", "Is it shutting down? %natslab status shows."),
    10002: (
        "{Place} would exceed what the account may use of JetStream",
        "%nats account info shows the limits; remove a stream, or ask for less.",
    ),
    10003: ("JetStream cannot read the request", "A field has a wrong form: {said}."),
    10005: (
        "No server can hold {place} with {replicas} replicas: {said}",
        "There must be as many servers as replicas, with the tags and the cluster asked for.",
    ),
    10006: _CLUSTER,
    10007: ("{Place} is not on this server", "%natslab status shows which servers are up."),
    10008: (
        "JetStream cannot decide anything now: its servers have no leader",
        "More than half of the servers must be up; %natslab status shows.",
    ),
    10009: ("This server is not the leader and cannot do it", "Wait a moment, and do it again."),
    10010: _CLUSTER,
    10011: ("Tags cannot be used for that", "Leave out the tags."),
    10012: (
        "The consumer {consumer} of {place} cannot be made: {said}",
        "Change what the sentence names, and do it again.",
    ),
    10013: (
        "{Place} has a consumer {consumer} already, configured in another way",
        "Take another name, or change what can be changed: %js consumer edit {stream} {consumer}",
    ),
    10014: ("{Place} has no consumer {consumer}", "Which there are: %js consumer ls {stream}"),
    10015: (
        "The subject to which a snapshot is to be sent cannot be used",
        "Take a subject without wildcards.",
    ),
    10016: ("A durable consumer needs a name", "Give it one."),
    10017: ("The request names two different consumers", "Use one name."),
    10020: ("A consumer with a name is not ephemeral", "Leave out the name, or --ephemeral."),
    10021: (
        "The API prefix of the other side overlaps with subjects of {place}: {said}",
        "Take another prefix.",
    ),
    10023: (
        "JetStream has no room left for it: the server's limit is reached",
        "Remove messages or streams; %nats account info shows what is used.",
    ),
    10025: (
        "JetStream cannot read the request: {said}",
        "A field is unknown to the server or of the wrong kind.",
    ),
    10026: (
        "{Place} may have no more consumers: its limit max_consumers is reached",
        "Remove one: %js consumer rm {stream} NAME -f. The limit of a stream cannot be changed later.",
    ),
    10027: (
        "The account may have no more streams",
        "Remove one: %js stream rm NAME -f",
    ),
    10028: (
        "There is not enough memory for {place}",
        "Ask for less (max_bytes), take file storage, or remove a stream in memory.",
    ),
    10029: ("The mirror cannot read its origin: {said}", "Is the origin there? %js stream ls"),
    10030: (
        "A mirror must take messages as large as its origin does",
        "Leave out max_msg_size, or make it at least as large.",
    ),
    10031: ("A mirror is a copy of one stream and cannot have sources too", "Use mirror or sources."),
    10032: ("A mirror begins at a sequence or at a time, not at both", "Leave out one of the two."),
    10033: (
        "A mirror cannot have a filter and a subject transform at once",
        "Use subject_transforms: their src is the filter.",
    ),
    10034: (
        "{Place} is a mirror: what it holds comes from its origin, so it cannot have subjects",
        "Leave out the subjects; use sources instead of mirror for a stream that takes messages too.",
    ),
    10035: ("There is no such account", "Check the login."),
    10037: (
        "There is no such message in {place}",
        "It was never stored, or was removed or has expired: %js stream state {stream}",
    ),
    10039: (
        "JetStream is off for this account",
        "Use a user of another account; the lab's own login has JetStream.",
    ),
    10040: ("That server does not hold {place}", "%js stream info {stream} shows which do."),
    10043: (
        "Message {seq} is not in {place}",
        "What it has: %js stream state {stream}",
    ),
    10044: ("There is no such server in the cluster", "%natslab status shows the servers."),
    10045: ("{Place} cannot read one of its sources: {said}", "Is the origin there? %js stream ls"),
    10046: (
        "{Place} takes smaller messages than one of its sources may hold",
        "Leave out max_msg_size, or make it at least as large.",
    ),
    10047: (
        "There is not enough storage for {place}",
        "Ask for less (max_bytes), or remove a stream.",
    ),
    10048: ("{Place} cannot be placed: {said}", "%natslab status shows the servers."),
    10049: ("{Place} cannot be made: {said}", "Change what the sentence names, and do it again."),
    10050: ("{Place} cannot be removed: {said}", _NOTHING),
    10051: ("{Place} cannot do that: {said}", _NOTHING),
    10052: (
        "{Place} cannot be like that: {said}",
        "Change the field that the sentence names; nothing was done.",
    ),
    10053: ("{Place} has reached a limit: {said}", "Raise the limit: %js stream edit {stream}"),
    10054: (
        "The message is larger than {place} takes (max_msg_size)",
        "Send less, or raise it: %js stream edit {stream} --max-msg-size 1MB",
    ),
    10055: (
        "What {place} mirrors cannot be changed",
        "End the mirroring (--no-mirror), or make another stream.",
    ),
    10056: (
        "The request says {stream} and its configuration says {name}",
        "Use one name.",
    ),
    10057: ("The message cannot be removed from {place}: {said}", "What it has: %js stream state {stream}"),
    10058: (
        "{Place} is there already, configured in another way",
        "Take another name, or change it: %js stream edit {stream}",
    ),
    10059: ("There is no {such}", "Which there are: %js {things} ls"),
    10060: (
        "The message was meant for another stream than the one that takes {subject}",
        "Which one does? %js stream find --subject {subject}",
    ),
    10061: ("The replicas of {place} cannot be changed", "Make another stream, and copy the messages."),
    10062: ("{Place} cannot be restored: {said}", "Is the backup whole?"),
    10063: ("The stream has another sequence than was expected", "Read it again."),
    10064: ("{Place} cannot be backed up: {said}", "Do it again; --check says what is broken."),
    10065: (
        "Another stream takes messages to {subjects} already, and a message can be in one stream only",
        "Choose subjects that do not overlap. Which stream has them? %js stream find --subject {subject}",
    ),
    10069: ("{Place} cannot be changed like that: {said}", _NOTHING),
    10070: (
        "The last Nats-Msg-Id of the stream is another than was expected: {said}",
        "Read the last message, and publish with its id.",
    ),
    10071: (
        "The last sequence is another than was expected: {said}",
        "Read again, and publish with the sequence that is there now.",
    ),
    10074: (
        "{Place} is to have {replicas} replicas, and there is one server, which can hold one",
        "On one server use --replicas 1 (num_replicas: 1 in YAML).",
    ),
    10075: ("No other server can take over the replica", "There must be a server that holds none yet."),
    10076: ("JetStream is off on this server", "Turn it on in its configuration."),
    10077: (
        "The message was not stored: {said}",
        "The stream is full and discards new messages: raise its limit, purge it, or use --discard old.",
    ),
    10078: ("The request has no configuration of a consumer", "Give one."),
    10079: ("The delivery subject has a wildcard", "Use a plain subject: --target deliver.here"),
    10080: ("A push consumer has no waiting pulls", "Leave out max_waiting."),
    10081: (
        "What the consumer delivers would come back into {place}",
        "Deliver to a subject that no stream takes.",
    ),
    10082: (
        "Without acknowledgments nothing is pending",
        "Leave out max_ack_pending, or use --ack explicit.",
    ),
    10083: ("A heartbeat more often than every 100 ms is refused", "Use --heartbeat 100ms or more."),
    10084: (
        "{Place} is a work queue: a pull consumer of it must acknowledge each message",
        "Make the consumer with --ack explicit.",
    ),
    10085: ("A pull consumer needs a name", "Give it one."),
    10086: ("A pull consumer takes as fast as it asks", "Leave out the rate limit, or use --target."),
    10087: ("There must be room for waiting pulls", "Leave out max_waiting, or use a positive number."),
    10088: (
        "The heartbeat of a pull is a matter of each pull, not of the consumer",
        "Leave out --heartbeat, or make it a push consumer: --target deliver.here",
    ),
    10089: (
        "Flow control is for push consumers; who pulls decides itself how much comes",
        "Leave out --flow-control, or use --target deliver.here",
    ),
    10093: (
        "The filter {filters} matches none of the subjects that {place} takes",
        "Its subjects: %js stream info {stream}",
    ),
    10094: (
        "The consumer cannot begin there: {said}",
        "A start sequence or time goes with its own policy only.",
    ),
    10095: ("The sampling cannot be read: {said}", "Write a percentage: --sample 50"),
    10096: ("{Place} is not usable", "%natslab log shows why."),
    10097: ("The headers are larger than 64 kB", "Put it into the payload."),
    10098: (
        "{Place} is a work queue: each message must be acknowledged",
        "Make the consumer with --ack explicit.",
    ),
    10099: (
        "{Place} is a work queue: each message goes to one consumer, and one that takes all is there already",
        "Share that consumer, or give each a filter that does not overlap: --filter orders.eu.>",
    ),
    10100: (
        "{Place} is a work queue: each message goes to one consumer, and another takes {filters} already",
        "Share that consumer, or choose a filter that does not overlap.",
    ),
    10101: ("{Place} is a work queue: a consumer of it begins with the first message", "Use --deliver all."),
    10102: ("The name of the consumer is too long: {said}", "Take a short one."),
    10103: ("A consumer's name holds no dot, wildcard or blank", "Use letters, digits, - and _."),
    10105: ("A consumer {consumer} of {place} is in use", "Take another name, or stop who uses it."),
    10106: ("The consumer {consumer} is there, configured in another way", "Take another name."),
    10107: ("The description is too long: {said}", "Say it in fewer words."),
    10108: ("Flow control needs a heartbeat", "Add --heartbeat 1s"),
    10109: (
        "{Place} is sealed: it stays as it is for ever",
        "Only reading, and removing it as a whole, is possible.",
    ),
    10110: (
        "Messages of {place} cannot be purged: {said}",
        "Where deny_purge is set, only age and limits remove messages.",
    ),
    10111: ("{Place} cannot roll up: {said}", "The stream must allow it: --allow-rollup, and no deny_purge."),
    10112: ("The delivery subject is no subject", "Use a plain subject: --target deliver.here"),
    10113: ("In this account a stream needs a limit of bytes", "Add --max-bytes 10MB"),
    10114: ("A pull asks for at least one message", "Use a positive number for max_batch."),
    10115: ("A pull waits for at least 1 ms", "Use a longer max_expires."),
    10116: (
        "There are more steps in the backoff than deliveries",
        "Raise --max-deliver, or leave steps out.",
    ),
    10117: (
        "{Place} has too many subjects to list",
        "Name a part of them: %js stream subjects {stream} 'orders.eu.>'",
    ),
    10118: ("{Place} is offline", "Its servers must be up: %natslab status shows."),
    10119: ("The consumer {consumer} is offline", "Its servers must be up: %natslab status shows."),
    10120: (
        "The account has no limits for JetStream that fit {replicas} replicas",
        "Use another number of replicas.",
    ),
    10121: ("So many unacknowledged messages are not allowed: {said}", "Use a smaller max_ack_pending."),
    10122: ("{Place} would be larger than the account allows for one stream", "Use a smaller max_bytes."),
    10123: ("A stream cannot move and change its replicas at once", "Do one after the other."),
    10124: ("{Place} is moving to other servers already", "Wait until it is there: %js stream info {stream}"),
    10125: ("So many messages a pull are not allowed: {said}", "Use a smaller max_batch."),
    10126: (
        "The consumer cannot have more replicas than {place}",
        "Leave out --replicas: then it has as many.",
    ),
    10127: ("A consumer's name holds no / and no \\", "Use letters, digits, - and _."),
    10128: ("A stream's name holds no / and no \\", "Use letters, digits, - and _."),
    10130: (
        "{Place} is there already, and a backup is restored only where none is",
        "Remove it first: %js stream rm {stream} -f",
    ),
    10131: ("The filter of the request and of its subject differ", "Use one filter."),
    10132: ("The consumer has two names", "Leave out name or durable_name."),
    10133: ("There cannot be less than no replicas", "Use --replicas 1."),
    10134: (
        "A consumer of {place} must have as many replicas as the stream, because it keeps by interest",
        "Leave out --replicas.",
    ),
    10135: ("The metadata is too large: {said}", "Write less."),
    10136: ("Both filter_subject and filter_subjects are there", "Use one of them."),
    10137: ("Several filters do not fit into the subject of the request", "Use filter_subjects."),
    10138: (
        "The filters {filters} overlap, and a message can match one only",
        "Leave out the one that the other contains.",
    ),
    10139: ("One of the filters is empty", "Leave it out."),
    10140: ("The same source is there twice", "Leave out one, or give each its own filter."),
    10141: ("The name of a source is no stream's name", "Use letters, digits, - and _."),
    10142: ("The name of the mirrored stream is no stream's name", "Use letters, digits, - and _."),
    10143: ("A mirror has the sequences of its origin", "Leave out first_seq."),
    10144: (
        "A source has a filter or transforms, not both",
        "Use subject_transforms: their src is the filter.",
    ),
    10145: ("The filter of a source is no subject: {said}", "Write it like orders.eu.>"),
    10146: (
        "A source cannot change subjects like that: {said}",
        "For example orders.* to archive.{{wildcard(1)}}",
    ),
    10147: ("The filters of a source overlap", "Leave out the one that the other contains."),
    10148: (
        "{Place} has a consumer {consumer} already, configured in another way",
        "Change it: %js consumer edit {stream} {consumer}, or take another name.",
    ),
    10149: ("{Place} has no consumer {consumer}", "Make it: %js consumer add {stream} {consumer}"),
    10150: (
        "A mirror has a filter or transforms, not both",
        "Use subject_transforms: their src is the filter.",
    ),
    10151: ("The filter of the mirror is no subject: {said}", "Write it like orders.eu.>"),
    10152: ("The filters of the mirror overlap", "Leave out the one that the other contains."),
    10153: ("The consumer may not be kept that long unused: {said}", "Use a smaller inactive_threshold."),
    10154: (
        "The mirror cannot change subjects like that: {said}",
        "For example orders.* to archive.{{wildcard(1)}}",
    ),
    10155: ("What is to be transformed is no subject: {said}", "Write it like orders.*"),
    10156: ("Subjects cannot be changed like that: {said}", "For example orders.* to shop.{{wildcard(1)}}"),
    10157: ("The server would have changed the request silently, and was told not to: {said}", _NOTHING),
    10158: ("A message with that Nats-Msg-Id is being stored now", "Wait a moment, and publish it again."),
    10159: ("A priority policy needs a priority group", "Name one: --pinned-groups jobs"),
    10160: (
        "The consumer {consumer} has no such priority group",
        "Its groups: %js consumer info {stream} {consumer}",
    ),
    10161: ("The name of a priority group is empty", "Name it."),
    10162: (
        "The name of a priority group has a wrong letter or more than 16",
        "Use letters, digits, - and _.",
    ),
    10163: ("The last sequence of the subject is not known yet", "Wait a moment, and publish it again."),
    10164: (
        "The last sequence is another than was expected",
        "Read again, and publish with the sequence that is there now.",
    ),
    10165: ("The TTL of the message cannot be read", "Write whole seconds or more: 10s, 1h, or never."),
    10166: (
        "The message has a TTL, and the stream does not allow that",
        "Allow it: %js stream edit NAME --allow-msg-ttl",
    ),
    10167: ("JetStream has more requests than it can do", "Wait a moment, and do it again."),
    10168: ("The message counts, and the stream is no counter", "Make a stream with --allow-counter."),
    10169: ("A message to a counter says by how much", "Add the header Nats-Incr:+1"),
    10170: ("A message to a counter has no payload", "Leave out the payload; the number is in Nats-Incr."),
    10171: ("The increment is no number", "Write a whole number: Nats-Incr:+1"),
    10172: ("The last message of the counter is no count", "Remove it: %js stream rmm NAME SEQUENCE -f"),
    10173: ("A mirror cannot count itself", "Leave out allow_msg_counter."),
    10174: ("The stream takes no atomic batches", "Allow them: %js stream edit NAME --allow-batch"),
    10175: ("A message of an atomic batch has no number", "Number them from 1: Nats-Batch-Sequence"),
    10176: ("The atomic batch has a gap or came too slowly; none of it was stored", "Send all of it again."),
    10177: ("A header cannot be used in an atomic batch: {said}", "Leave out that header."),
    10178: ("Priority groups are for pull consumers", "Leave out the groups, or the delivery subject."),
    10179: ("The id of the batch is empty or has more than 64 letters", "Take a short one."),
    10181: ("There is no such ack policy", "There is none, all and explicit."),
    10182: ("There is no such replay policy", "There is instant and original."),
    10183: ("An ack wait is not negative", "Write for example --wait 30s"),
    10184: ("A backoff is not negative", "Write for example --backoff linear"),
    10185: (
        "The request asks for a newer JetStream API than this server has",
        "Leave out the header Nats-Required-Api-Level, or use a newer server.",
    ),
    10186: ("A mirror cannot schedule messages", "Leave out allow_msg_schedules."),
    10187: (
        "A stream with sources cannot schedule messages",
        "Leave out allow_msg_schedules, or the sources.",
    ),
    10188: ("The stream schedules no messages", "Allow it: %js stream edit NAME --allow-schedules"),
    10189: ("The schedule cannot be read", "For example @every 5s, @at with a time, or six cron fields."),
    10190: ("The target of the schedule is no subject of the same stream", "Take one that the stream has."),
    10191: ("The TTL of the scheduled message cannot be used", "The stream must allow TTLs: --allow-msg-ttl"),
    10192: ("The rollup of a schedule is wrong", "Leave out the header Nats-Rollup."),
    10193: ("A subject is named without the sequence that is expected there", "Add the sequence."),
    10194: ("{Place} is offline: {said}", "Its servers must be up, and new enough."),
    10195: ("The consumer {consumer} is offline: {said}", "Its servers must be up, and new enough."),
    10196: ("Priority groups need a policy", "Use --pinned-groups or --overflow-groups."),
    10197: ("A pinned TTL is for the policy pinned_client", "Use --pinned-groups, or leave it out."),
    10198: ("A mirror takes no atomic batches", "Leave out allow_atomic."),
    10199: ("The atomic batch is too large: {said}", "Send smaller batches."),
    10200: ("The commit of the batch is wrong", "Its last message has Nats-Batch-Commit:1"),
    10201: (
        "Two messages of the batch have the same Nats-Msg-Id, or it is stored already",
        "Take fresh ids.",
    ),
    10203: ("The source of the schedule is no plain subject", "Take a subject without wildcards."),
    10204: ("The consumer cannot be reset there: {said}", "Take a sequence that its policy allows."),
    10205: ("The stream takes no fast batches", "Allow them: %js stream edit NAME --allow-fast"),
    10210: ("Too many atomic batches are under way", "Commit one first."),
    10211: ("Too many fast batches are under way", "End one first."),
    10213: ("The consumer of the mirror is configured wrongly", "It needs a name and a delivery subject."),
    10215: ("The consumer of a source is configured wrongly", "It needs a name and a delivery subject."),
    10223: ("There is no such time zone", "Write it like Europe/Berlin."),
}


def explain(code: int, subject: str, body: dict[str, Any], description: str) -> tuple[str, str]:
    """What was wrong, and what to do.

    Parameters
    ----------
    code: the server's error code (nats-server, errors.json), e.g. 10065; 0 when it gave none.
    subject: of the API request without its prefix, e.g. STREAM.CREATE.ORDERS; or of a publish.
    body: of the API request.
    description: the server's own words.
    """
    said = " ".join(description.split()).rstrip(".")
    if code not in MEANINGS:
        number = f" (error {code})" if code else ""
        return f"JetStream refused: {said}{number}.", _NOTHING
    what, hint = MEANINGS[code]
    names = _names(subject, body) | {"said": said}
    for words, whole in _BY_WORDS.get(code, ()):
        if (found := words.search(said)) is not None:
            what, hint = whole
            names |= found.groupdict()
    return f"{_fill(what, names)} (error {code}).", _fill(hint, names)


#: One code for several things, which only the server's words tell apart.
_BY_WORDS: dict[int, list[tuple[re.Pattern[str], tuple[str, str]]]] = {
    10005: [
        (
            re.compile(r'preferred server "(?P<server>[^"]*)" not known'),
            ("{server} cannot lead {group}: it has no part in it", "%natslab status shows the servers."),
        ),
        (
            re.compile(r'preferred server "(?P<server>[^"]*)" is already leader'),
            ("{server} leads {group} already", "Name another server, or none."),
        ),
        (
            re.compile("no replacement peer connected"),
            (
                "No other server can lead {group}: none is connected that is as was asked for",
                "Leave out the cluster and the tags; %natslab status shows which servers are up.",
            ),
        ),
    ],
}

#: Where the server's words in a refusal say what was wrong, and without them hardly anything is left.
_ALONE = {
    10012: "A consumer cannot be made as it was asked for; the refusal says which field it is",
    10049: "A stream cannot be made as it was asked for; the refusal says which field it is",
    10051: "The server cannot do with the stream what was asked; the refusal says why",
    10052: "A stream cannot be like that; the refusal says which field it is",
    10053: "A stream has reached one of its limits; the refusal says which",
    10069: "A stream cannot be changed like that; the refusal says which field it is",
    10077: "A stream did not store the message: it is full (max_msgs, max_bytes or max_msgs_per_subject) and "
    "discards new messages, or writing failed",
    10157: "The server would have changed the request silently, and was told not to (pedantic)",
}
#: The place of the server's words.
_SAID = re.compile(r":? ?\{said\}")


def meaning(code: int) -> tuple[str, str] | None:
    """The same without a request, for looking a code up; None for a code that is not explained here."""
    if code not in MEANINGS:
        return None
    what, hint = (_SAID.sub("", text) for text in (_ALONE.get(code, MEANINGS[code][0]), MEANINGS[code][1]))
    names = _names("", {})
    return f"{_fill(what, names)}.", _fill(hint, names)


#: Tokens of an API subject before the stream's name.
_BEFORE = {
    ("STREAM", "MSG"): 3, ("CONSUMER", "MSG"): 3, ("CONSUMER", "DURABLE"): 3, ("CONSUMER", "LEADER"): 3,
    ("STREAM", "LEADER"): 3, ("STREAM", "PEER"): 3,
}  # fmt: skip


def named_in(subject: str) -> tuple[str, str]:
    """The stream and the consumer that the subject of an API request names; "" for none."""
    tokens = subject.split(".")
    if tokens[0] not in ("STREAM", "CONSUMER", "DIRECT"):
        return "", ""
    at = _BEFORE.get((tokens[0], tokens[1] if len(tokens) > 1 else ""), 2)
    stream = tokens[at] if len(tokens) > at else ""
    return stream, tokens[at + 1] if tokens[0] == "CONSUMER" and len(tokens) > at + 1 else ""


def _names(subject: str, body: Mapping[str, Any]) -> dict[str, str]:
    """What the request speaks of; words that stand for it where it does not say."""
    config: Mapping[str, Any] = body.get("config") or body
    stream, consumer = named_in(subject)
    if subject.startswith("CONSUMER."):
        consumer = consumer or str(config.get("durable_name") or config.get("name") or "")
    published = "" if subject.startswith(("STREAM.", "CONSUMER.", "DIRECT.")) else subject
    kind, name, things = "stream", stream, "stream"
    for prefix, word, verb in (("KV_", "bucket", "kv"), ("OBJ_", "object bucket", "object")):
        if stream.startswith(prefix):
            kind, name, things = word, stream.removeprefix(prefix), verb
    place = f"{kind} {name}" if stream else "the stream"
    group = "the meta group" if subject.startswith("META.") else place
    if consumer:
        group = f"consumer {stream} > {consumer}"
    subjects = config.get("subjects") or []
    filters = config.get("filter_subjects") or [config.get("filter_subject") or ""]
    return {
        "place": place,
        "such": place if stream else "such stream",
        "group": group,
        "Place": place[0].upper() + place[1:],
        "stream": stream or "NAME",
        "things": things,
        "name": str(config.get("name", "another")),
        "consumer": consumer or "NAME",
        "subject": published or (str(subjects[0]) if subjects else "SUBJECT"),
        "subjects": " or ".join(map(str, subjects)) or "these subjects",
        "filters": " and ".join(str(f) for f in filters if f) or "that is asked for",
        "replicas": str(config.get("num_replicas") or "so many"),
        "seq": str(body.get("seq") or "with that sequence"),
    }


def _fill(text: str, names: Mapping[str, str]) -> str:
    # Not str.format: mapping functions like {{wildcard(1)}} stay as they are.
    return re.sub(r"\{(\w+)\}", lambda found: names.get(found[1], found[0]), text)
