"""One attempt at a request: sent, read, priced. What it comes to is handed back as a value, an error too."""

import asyncio
import json
from typing import Any

from progkit.errors import LMError, LMServerError, LMTimeoutError
from progkit.lm import litellm_door
from progkit.lm.direct import answers, carriers, connections, refusals
from progkit.lm.direct.preparing import Prepared
from progkit.lm.direct.prices import price
from progkit.lm.response import Response
from progkit.lm.retry import Outcome

_LONGEST = 600.0
"""Seconds, where no timeout is set; litellm's."""


async def ask(prepared: Prepared, seconds: float | None) -> Outcome:
    """Send a request once, on the running event loop; give up after *seconds*."""
    limit = _LONGEST if seconds is None else seconds
    to = prepared.destination
    try:
        async with asyncio.timeout(limit):
            reply = await connections.post(to.url, to.headers, prepared.body, prepared.http2)
    except TimeoutError:
        return LMTimeoutError(f"no answer within {limit} s", prepared.name)
    except Exception as error:  # httpx's, the system's, or what a header made of: none is to leave with the key in it
        return refusals.of_failure(error, prepared.name, prepared.secrets)
    if reply.body is None:
        return LMServerError(f"the reply is larger than {carriers.LARGEST} bytes", prepared.name, reply.status)
    if reply.status >= 300:
        return refusals.of_reply(reply.status, reply.headers, reply.body, prepared.name, prepared.secrets)
    return await _answer(reply.body, prepared)


async def _answer(content: bytes, prepared: Prepared) -> Outcome:
    try:
        body: Any = json.loads(content)
    except (ValueError, RecursionError) as error:
        return LMServerError(f"the reply is no JSON: {error}", prepared.name)
    said = answers.completions(body, prepared.name, prepared.secrets)
    if isinstance(said, LMError):
        return said
    used = answers.usage(body)
    cost = price(prepared.model, body, used)
    if not cost.is_sure:
        cost = cost._replace(dollars=await asyncio.wrap_future(litellm_door.priced(body, prepared.name)))
    return Response(said, prepared.name, used, cost.dollars)
