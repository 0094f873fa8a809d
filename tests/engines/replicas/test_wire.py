from llmbatch.core.outcomes import Completed, Failed, Lost, Outcome, Usage
from llmbatch.core.records import Ask, Constraint, Message, Request, Sampling
from llmbatch.engines.base import Telemetry
from llmbatch.engines.replicas.wire import (
    Call,
    Reply,
    RequestReader,
    RequestWriter,
    read_outcome,
    write_outcome,
)

SAMPLING = Sampling(seed=7)
CONSTRAINT = Constraint("choice", '["a", "b"]')
REQUESTS = [
    Request("1", (Message("user", "one"),), SAMPLING, CONSTRAINT),
    Request("2", (Message("system", "s"), Message("user", "two")), SAMPLING, None, {"a": [1]}),
    Request("3", (Message("text", "three"),), Sampling(), None, None, Ask("embed"), "adapter"),
]


def test_requests_arrive_as_they_were_sent_and_share_what_they_shared() -> None:
    writer, reader = RequestWriter(), RequestReader()
    arrived = []
    for request in REQUESTS:
        written = writer.write(request)
        call = Call.from_bytes(Call(1, [written], writer.take_parts()).to_bytes())
        reader.learn(call.parts)
        arrived += [reader.read(each) for each in call.requests]
    assert arrived == REQUESTS
    assert arrived[0].sampling is arrived[1].sampling


def test_what_is_shared_travels_once() -> None:
    writer = RequestWriter()
    writer.write(REQUESTS[0])
    assert len(writer.take_parts()) == 2
    writer.write(REQUESTS[0])
    assert writer.take_parts() == {}


def test_outcomes_arrive_as_they_were_sent() -> None:
    outcomes: list[Outcome | Lost] = [
        Completed("1", "text", "stop", Usage(4, 3, 2, 1), "thought", "[]"),
        Failed("2", "too_long", "message", Usage(1), "text", "length", is_final=True),
        Failed("3", "refused_request", "message"),
        Lost(("4", "5"), "a part died"),
    ]
    assert [read_outcome(write_outcome(each)) for each in outcomes] == outcomes


def test_replies_arrive_as_they_were_sent() -> None:
    reply = Reply(3, "ready", [("lost", (), "")], Telemetry(steps=5), {"engine": "x"}, None, 2)
    assert Reply.from_bytes(reply.to_bytes()) == reply
