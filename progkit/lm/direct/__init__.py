"""Asking OpenAI-compatible endpoints without litellm: less CPU for each call, and nothing heavy to import.

A request is asked this way where what litellm would send, read and raise is known to the letter; ``prepare`` says
whether it is, and ``ask`` asks. Everything else goes through litellm (``litellm_door``). The two differ on
purpose, and only, in this:

==========================================  ==========================================  ================================
what happens                                litellm                                     here
==========================================  ==========================================  ================================
a redirect to another host                  follows, prompt and all                     ``LMBadRequestError``, not sent
a redirect that turns POST into GET         follows, without the question               ``LMBadRequestError``, not sent
a finish reason ``error``                   becomes ``stop``, so it is cached           stays, so it is not
400, "max_tokens ... limit was reached"     becomes an empty reply, its usage guessed   ``LMBadRequestError``
400, ``context_length_exceeded`` as code    a bad request, unless the words are known   ``LMContextWindowError``
azure/: too long, in its servers' words     a bad request, unless in OpenAI's words     ``LMContextWindowError``
a reasoning model that is not in the list   costs nothing                               costs None: not known
a reply of over 64 MiB                      is read                                     ``LMServerError``
hosted_vllm/: an error's message            the whole body                              the message in it
hosted_vllm/: a reply that is no JSON       a bad request                               ``LMServerError``, asked again
NaN, a lone surrogate in a request          ``LMServerError``, asked again              ``LMBadRequestError``, not sent
==========================================  ==========================================  ================================
"""

from progkit.lm.direct.asking import ask
from progkit.lm.direct.preparing import Prepared, prepare

__all__ = ["Prepared", "ask", "prepare"]
