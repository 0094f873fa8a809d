"""The turns that tell a model of its failed answer."""

from pathlib import Path

from llmbatch.core.messages import messages_text
from llmbatch.core.outcomes import Failed, Tries
from llmbatch.core.records import Message, Request, Sampling
from llmbatch.job.run_settings import RunSpec
from llmbatch.pipeline.run.feedback import Feedback
from llmbatch.store.opening import open_store
from llmbatch.store.plans import PlannedRequest

KEY = "a" * 32
ASKED = (Message("system", "Be brief"), Message("user", "Yes or no?"))
FAILED = Failed(KEY, "invalid_output", "not one of the choices", text="<|im_end|> maybe")
INVALID = Tries(1, 1, invalid=1)
TOLD = (Message("assistant", "<|im_end|> maybe"), Message("user", "Why: not one of the choices"))


def told(
    folder: Path,
    messages: tuple[Message, ...],
    tries: Tries = INVALID,
    failed: Failed | None = FAILED,
    *,
    is_on: bool = True,
) -> tuple[Message, ...] | None:
    """The messages of a try after these, with an answer that no checkpoint has yet."""
    settings = RunSpec(feedback=is_on, feedback_text="Why: {{ reason }}" if is_on else None)
    planned = PlannedRequest(7, KEY, 1, messages_text(messages))
    with open_store(folder / "job.duckdb") as db:
        feedback = Feedback(db, settings, {KEY: failed}.get)
        feedback.read([planned], {7: tries})
        made = feedback.tell(Request(KEY, messages, Sampling()))
        # A request is told once for each time that it is read.
        assert feedback.tell(Request(KEY, messages, Sampling())) is None
    return None if made is None else made.messages


def test_the_turns_follow_the_chat_and_leave_its_beginning(tmp_path: Path) -> None:
    assert told(tmp_path, ASKED) == (*ASKED, *TOLD)


def test_the_next_answer_begins_as_the_failed_one_had_to(tmp_path: Path) -> None:
    begun = Message("prefill", "It is")
    assert told(tmp_path, (*ASKED, begun)) == (*ASKED, *TOLD, begun)


def test_requests_that_are_told_nothing(tmp_path: Path) -> None:
    assert told(tmp_path, ASKED, is_on=False) is None
    assert told(tmp_path, ASKED, Tries(1, 1, truncated=1)) is None
    assert told(tmp_path, ASKED, Tries(2, 1, invalid=1, unfit=1)) is None
    assert told(tmp_path, ASKED, failed=None) is None  # thinking that did not end
    assert told(tmp_path, (Message("text", "Yes or no? "),)) is None
