"""The reason of a failure in one line, from vLLM's errors and its log."""

from pathlib import Path

from llmbatch.engines.vllm import failure_reasons

LOG = """\
(EngineCore pid=1) ERROR 11-21 12:00:00 [core.py:1510] Traceback (most recent call last):
(EngineCore pid=1) ERROR 11-21 12:00:00 [core.py:1510] ValueError: To serve at least one request \
with the models's max seq len (1024), 0.50 GiB KV cache is needed, which is larger than the \
available KV cache memory (0.06 GiB). Based on the available memory, the estimated maximum model \
length is 128. Try increasing memory.
Process EngineCore:
RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}
"""


def test_the_reason_is_found_in_the_log(tmp_path: Path) -> None:
    log = tmp_path / "run.log"
    log.write_text("ValueError: of an earlier run\n")
    since = log.stat().st_size
    with log.open("a") as file:
        file.write(LOG)
    vague = RuntimeError("Engine core initialization failed. See root cause above.")
    reason = failure_reasons.reason_of(vague, str(log), since)
    assert reason.startswith("ValueError: To serve at least one request")
    assert "\n" not in reason
    assert "set max_model_len=128" in failure_reasons.with_advice(reason)


WORKER = """\
(EngineCore pid=1) ERROR 11-21 12:00:00 [x.py:315] Worker proc VllmWorker-0 died unexpectedly\
 (exit code: {}), shutting down executor.
RuntimeError: cancelled
"""
VAGUE = RuntimeError("EngineCore encountered an issue. See stack trace (above) for the root cause.")


def test_a_worker_that_was_killed_is_the_reason(tmp_path: Path) -> None:
    log = tmp_path / "run.log"
    log.write_text("ValueError: of a request, long ago\n" + WORKER.format(-9))
    reason = failure_reasons.reason_of(VAGUE, str(log), 0)
    assert reason == "its process VllmWorker-0 was ended by SIGKILL"
    assert "dmesg" in failure_reasons.with_advice(reason)


def test_the_error_before_the_end_of_a_worker_is_the_reason(tmp_path: Path) -> None:
    log = tmp_path / "run.log"
    log.write_text("(Worker pid=2) ValueError: no memory\n" + "  at x\n" * 20 + WORKER.format(None))
    assert failure_reasons.reason_of(VAGUE, str(log), 0) == "ValueError: no memory"
    log.write_text("(Worker pid=2) ValueError: old\n" + "x\n" * 500 + WORKER.format(None))
    assert failure_reasons.reason_of(VAGUE, str(log), 0) == "its process VllmWorker-0 has ended"


def test_a_model_that_is_asked_for_more_than_it_has_says_how_much(tmp_path: Path) -> None:
    error = ValueError(
        "User-specified max_model_len (2048) is greater than the derived max_model_len "
        "(max_position_embeddings=1024.0 or model_max_length=None in model's config.json). "
        "To allow overriding this maximum, set the env var X. X must be used with caution."
    )
    reason = failure_reasons.reason_of(error, None, 0)
    assert reason.endswith("config.json).")
    assert failure_reasons.with_advice(reason).endswith("[set max_model_len to 1024 at most]")


def test_a_clear_error_is_its_own_reason(tmp_path: Path) -> None:
    assert failure_reasons.reason_of(ValueError("no\nsuch thing"), None, 0) == "no such thing"
    pydantic = (
        "1 validation error for ModelConfig Value error, no x. [type=value_error, input_value=1]"
    )
    assert failure_reasons.reason_of(ValueError(pydantic), None, 0) == "no x."
    missing = str(tmp_path / "no.log")
    assert "root cause" in failure_reasons.reason_of(
        RuntimeError("See root cause above"), missing, 0
    )


def test_words_of_a_log_are_found_from_a_start_on(tmp_path: Path) -> None:
    log = tmp_path / "run.log"
    log.write_text("loading failed\nready\n")
    assert failure_reasons.has_logged("loading failed", str(log), 0)
    assert not failure_reasons.has_logged("loading failed", str(log), 5)
    assert not failure_reasons.has_logged("loading failed", str(tmp_path / "none"), 0)
    assert not failure_reasons.has_logged("loading failed", None, 0)
