"""Requests on their way to servers and back. All of it lives in the event loop."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from llmbatch.core import clock
from llmbatch.core.errors import EngineError
from llmbatch.core.outcomes import Failed, Lost, Outcome
from llmbatch.engines.http import failures, limits_told, servers
from llmbatch.engines.http.answers import UnreadableError
from llmbatch.engines.http.bodies import Call
from llmbatch.engines.http.client import Client
from llmbatch.engines.http.connection import Broken, ExchangeError, Reply
from llmbatch.engines.http.counters import Counters
from llmbatch.engines.http.failures import Fault, Problem
from llmbatch.engines.http.jobs import Event, Job, Reads, ReadsRefusals
from llmbatch.engines.http.servers import Server
from llmbatch.engines.routing import Router

# So often a server may end with a request in flight before the run is told.
_ENDS = 2


class Dispatcher:
    """Sends jobs to servers that have room, and gives their events to `emit`."""

    def __init__(
        self,
        client: Client,
        members: Sequence[Server],
        reads: Reads,
        emit: Callable[[list[Event]], None],
        counters: Counters,
        patience: float,
    ) -> None:
        self._client = client
        self._servers = members
        self._reads = reads
        self._emit = emit
        self._counters = counters
        self._patience = patience
        self._router = Router()
        self._is_alone = len(members) == 1
        self._waiting: deque[Job] = deque()
        self._resting: set[Job] = set()
        self._at_servers: set[Job] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._alone_since: float | None = None
        self._events: list[Event] = []
        self._is_due = False

    @property
    def wanted(self) -> int:
        """The number of jobs that are enough here: twice as many as servers may get at once."""
        return 2 * sum(int(server.flow.limit) for server in self._servers)

    def add(self, jobs: Sequence[Job]) -> None:
        self._waiting.extend(jobs)
        self._counters.arrived(clock.seconds())
        self.pump()

    async def end(self) -> None:
        """Give up all that is here."""
        if self._timer is not None:
            self._timer.cancel()
        self._waiting.clear()
        self._resting.clear()
        for job in self._at_servers:
            if job.exchange is not None:
                job.exchange.cancel()
        self._at_servers.clear()
        for server in self._servers:
            server.flow.in_flight = 0

    def pump(self) -> None:
        """Send what can be sent now, and come back when more can be."""
        now = clock.seconds()
        waiting, servers_ = self._waiting, self._servers
        while waiting:
            room = {one.number: free for one in servers_ if (free := one.room(now)) > 0}
            if not room:
                break
            job = waiting.popleft()
            number = next(iter(room)) if self._is_alone else self._router.choose(job.request, room)
            self._send(job, servers_[number], now)
        self._show(now)
        if waiting:
            self._come_back(now)

    def _show(self, now: float) -> None:
        """Keep the counters of what is here, and until when nothing can be sent."""
        self._counters.running = len(self._at_servers)
        self._counters.waiting = len(self._waiting) + len(self._resting)
        self._counters.held_back_until = self._opens_at(now) if self._waiting else None

    def _opens_at(self, now: float) -> float | None:
        times = [server.opens_at(now) for server in self._servers]
        return min((at for at in times if at is not None), default=None)

    def _come_back(self, now: float) -> None:
        at = self._opens_at(now)
        if at is None:
            return
        if self._timer is not None:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(max(0.001, at - now), self._wake)

    def _wake(self) -> None:
        self._timer = None
        self.pump()

    def _send(self, job: Job, server: Server, now: float) -> None:
        server.flow.sent(now)
        self._at_servers.add(job)
        target = server.target(self._client, job.call)
        done = partial(self._came, job, server, now)
        job.exchange = self._client.send(target, job.call.body, done)

    def _came(self, job: Job, server: Server, began: float, result: Reply | ExchangeError) -> None:
        """Take the end of an exchange."""
        job.exchange = None
        server.flow.ended()
        self._at_servers.discard(job)
        try:
            self._take(job, server, began, result)
        except Exception as error:  # a bug, which must not leave a request without an end
            self._put(EngineError(f"engine died: {error!r}"))
        self._soon()

    def _take(self, job: Job, server: Server, began: float, result: Reply | ExchangeError) -> None:
        now = clock.seconds()
        if isinstance(result, ExchangeError):
            self._fail(job, server, self._broken(job, server, result, began), began)
            return
        limits_told.note(server.flow, result.headers, now)
        if result.status != 200:
            problem = failures.problem_of(result.status, result.headers, result.body)
            self._fail(job, server, problem, began)
            return
        found = self._read(job, server, result, now)
        if isinstance(found, Problem):
            self._fail(job, server, found, began)
        else:
            self._go_on(job, found)

    def _go_on(self, job: Job, found: Outcome | Call) -> None:
        """Finish a request, or send what is next of it."""
        if isinstance(found, Call):
            job.call = found
            self._waiting.appendleft(job)
        else:
            self._finish(found)

    def _soon(self) -> None:
        """Hand out events and send again, once for all that has come in this turn of the loop."""
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self._is_due = False
        self.pump()
        if self._events:
            self._emit(self._events)
            self._events = []

    def _put(self, event: Event) -> None:
        self._events.append(event)
        self._soon()

    def _read(self, job: Job, server: Server, reply: Reply, now: float) -> Outcome | Call | Problem:
        try:
            outcome = self._reads.outcome(job.request, reply.body, job.call)
        except UnreadableError as error:
            return Problem(Fault.SERVER, str(error))
        server.answered += 1
        server.heard()
        server.flow.answered(now)
        self._alone_since = None
        return outcome

    def _broken(self, job: Job, server: Server, error: ExchangeError, began: float) -> Problem:
        text = f"{error.how}: {error}"
        if error.how is Broken.LARGE:
            return Problem(Fault.ROW, str(error))
        if error.how is Broken.LATE:
            job.late += 1
            server.flow.late(clock.seconds(), began)
            return Problem(Fault.SERVER, text, "timeout")
        if error.how is Broken.CUT:
            server.cut.append(job)
        return Problem(Fault.AWAY if error.how is Broken.REFUSED else Fault.SERVER, text)

    def _finish(self, event: Event) -> None:
        if isinstance(event, Outcome):
            self._counters.count(event.usage, clock.seconds())
        if not (self._waiting or self._resting or self._at_servers):
            self._counters.emptied(clock.seconds())
        self._put(event)

    def _fail(self, job: Job, server: Server, problem: Problem, began: float) -> None:
        now = clock.seconds()
        if problem.fault is Fault.ROW:
            server.heard()
            self._go_on(job, self._refused(job, problem))
        elif problem.fault is Fault.LIMIT:
            server.failed_in_row = 0
            server.flow.refused(now, began, problem.wait)
            self._waiting.appendleft(job)
        elif problem.fault is Fault.SETTING:
            self._refuse(server, problem.text)
            self._waiting.appendleft(job)
        else:
            self._again(job, server, problem, now)

    def _refused(self, job: Job, problem: Problem) -> Outcome | Call:
        """The consequence of the server's refusal of a request."""
        found = None
        if isinstance(self._reads, ReadsRefusals):
            found = self._reads.refused(job.request, job.call, problem)
        return found or Failed(job.request.key, problem.kind, problem.text)

    def _refuse(self, server: Server, text: str) -> None:
        """Ask a server no more; without any other the engine is gone."""
        server.refusal = f"{server.name} {text}"
        if all(one.refusal is not None for one in self._servers):
            self._put(EngineError(server.refusal))

    def _again(self, job: Job, server: Server, problem: Problem, now: float) -> None:
        """Send a request again, later; it has failed once no chance explains how often it did."""
        server.failed += 1
        is_sure = problem.fault is Fault.AWAY and problem.text.startswith(Broken.REFUSED)
        was_there = server.away_until is None
        if server.stumbled(now, problem.text, is_away=is_sure or "is ending" in problem.text):
            self._router.forget(server.number)
            self._note_end(server)
        elif is_sure:
            self._note_end(server)
        if self._nobody_answers(now):
            return
        # What a server did not get, or ended with, counts for no request.
        if not (is_sure or not was_there or problem.fault is Fault.AWAY):
            job.tries += 1
        if job.ends >= _ENDS:
            self._finish(Lost((job.request.key,), f"{server.name} ended"))
        elif failures.is_no_chance(job.tries, server.failed, server.answered):
            said = f"{problem.text}; it was sent {job.tries} times"
            self._finish(Failed(job.request.key, problem.kind, said))
        else:
            self._rest(job)

    def _note_end(self, server: Server) -> None:
        for job in server.cut:
            job.ends += 1
        server.cut.clear()

    def _nobody_answers(self, now: float) -> bool:
        """True if the engine has given up: no server was there for too long."""
        if any(one.refusal is None and one.away_until is None for one in self._servers):
            self._alone_since = None
            return False
        self._alone_since = now if self._alone_since is None else self._alone_since
        if now - self._alone_since < self._patience:
            return False
        reason = next(one.last_error for one in self._servers if one.last_error)
        waited = f"{self._patience:g} s"
        self._put(EngineError(f"engine died: no server answers for {waited}: {reason}"))
        return True

    def _rest(self, job: Job) -> None:
        self._resting.add(job)
        delay = servers.before_next_try(max(1, job.tries))
        asyncio.get_running_loop().call_later(delay, self._rested, job)

    def _rested(self, job: Job) -> None:
        if job in self._resting:
            self._resting.discard(job)
            self._waiting.appendleft(job)
            self.pump()
