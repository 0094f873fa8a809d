"""The chaos proxy disturbs what passes it, and the same requests again in the same way."""

import asyncio
import json
from collections import Counter

import aiohttp

from tests.servers.process import chaos, serving

_BODY = {"messages": [{"role": "user", "content": "one"}]}


async def _happenings(url: str, count: int) -> list[str]:
    found = []
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.3)) as session:
        for _ in range(count):
            found.append(await _happening(session, url))
    return found


async def _happening(session: aiohttp.ClientSession, url: str) -> str:
    try:
        async with session.post(f"{url}/chat/completions", json=_BODY) as reply:
            raw = await reply.read()
            if reply.status == 200:
                return "good" if b"answer" in raw and json.loads(raw) else "garbage"
            return str(reply.status)
    except TimeoutError:
        return "hung"
    except aiohttp.ServerDisconnectedError:
        return "closed"
    except aiohttp.ClientPayloadError:
        return "truncated"


def test_what_happens_is_drawn_by_the_seed() -> None:
    shares = {"errors": 0.3, "hung": 0.03, "truncated": 0.2, "garbage": 0.1}
    with serving() as server:
        found = []
        for _ in range(2):
            with chaos(server, seed=5, **shares) as proxy:
                found.append(asyncio.run(_happenings(proxy.url, 60)))
    assert found[0] == found[1]
    counted = Counter(found[0])
    assert 10 <= counted["good"] <= 40
    assert {"hung", "truncated", "closed", "500", "502"} <= counted.keys()


def test_its_rate_is_a_limit() -> None:
    with serving() as server, chaos(server, rate=50, burst=5) as proxy:
        found = Counter(asyncio.run(_happenings(proxy.url, 40)))
        assert found.keys() == {"good", "429"}
        assert proxy.seen()["happened"] == {"passed": found["good"], "limited": found["429"]}
