"""What is judged of a workload, in words of the shape of its work: round trips, copies, confirms. Pure."""

from typing import Literal

from bench.scenario.scenario import Workload
from reports.format import count

JudgedTag = Literal["response", "service", "confirm"]
_REPLIES = {
    "queue": "replies to a queue of each requester",
    "direct": "replies by direct reply-to",
    "dynamic": "replies to where the broker names",
}


def filled_or_drained(workload: Workload) -> Literal["enqueue", "dequeue", ""]:
    """Return the one phase that a workload by count is; empty where both go on at once."""
    return workload.phase or ("enqueue" if workload.phases == "enqueue" else "")


def tag_of(workload: Workload) -> JudgedTag:
    """Return the latency that a workload is judged by: where nobody consumes, that of confirms."""
    if not workload.consumers or (workload.messages and filled_or_drained(workload)):
        return "confirm"
    return "service" if workload.closed else "response"


def latency_words(workload: Workload) -> str:
    """Return what that latency is called, such as `round trip`."""
    if workload.pattern == "rpc":
        return "round trip"
    tag = tag_of(workload)
    return f"{tag} of each copy" if _copied(workload) else tag


def sent_unit(workload: Workload) -> str:
    """Return the unit of what is sent."""
    return "calls/s" if workload.pattern == "rpc" else "msg/s"


def got_unit(workload: Workload) -> str:
    """Return the unit of what is achieved."""
    return "copies/s" if _copied(workload) else sent_unit(workload)


def asks(workload: Workload, targets: int) -> str:
    """Return the question that a workload puts to so many targets."""
    if workload.pattern == "rpc":
        many, one = ("answers more calls", "calls") if workload.closed else ("answers a call", "a call")
        how = f"How many {one} are answered a second?" if workload.closed else f"How soon is {one} answered?"
    elif not workload.consumers:
        many, how = "confirms", "How soon is a message confirmed?"
    elif _copied(workload):
        many = "hands out more copies" if workload.closed else "reaches subscribers"
        how = "How many copies are handed out a second?" if workload.closed else "How soon are subscribers reached?"
    else:
        many = "carries more messages" if workload.closed else "delivers"
        how = "How many messages are carried a second?" if workload.closed else "How soon is a message delivered?"
    return how if targets == 1 else f"Which {many} {'a second' if workload.closed else 'sooner'}?"


def shape(workload: Workload) -> tuple[str, ...]:
    """Return what a load is beside its rate and sizes, such as `each to 10 subscribers`; nothing of plain queues."""
    said = []
    if workload.pattern == "rpc":
        said.append(_REPLIES[workload.reply])
    elif workload.pattern == "fanout":
        said.append(f"each to {count(workload.queues)} subscribers")
    elif workload.pattern == "topic":
        said.append(f"by topic to {count(workload.queues)} queues")
    elif workload.exchange:
        said.append(f"by exchange {workload.exchange}")
    return (*said, *(() if workload.consumers else ("nobody consumes",)))


def _copied(workload: Workload) -> bool:
    return workload.pattern == "fanout" and workload.queues > 1 and workload.consumers > 0
