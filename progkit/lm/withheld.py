"""An LM that is not asked: a file sent a predictor's prompts to an endpoint that nobody allowed."""

from collections.abc import Mapping
from typing import Any, NoReturn

from progkit.errors import EndpointWithheldError
from progkit.lm.protocol import LanguageModel
from progkit.lm.request import Request
from progkit.lm.secrecy import public_url


class WithheldLM:
    """Stands in for *lm*, the predictor's own in the file (None: it had none), while its way out is withheld.

    settings: what led out of the predictor's own settings, ``{"api_base": "http://10.0.0.7/v1"}``. Without it the
    prompts would go to whatever endpoint the LM has else: to a provider that the file's author never meant. What
    is in the cache is served, as the requests are those that would have been sent.
    """

    def __init__(self, lm: LanguageModel | None, settings: Mapping[str, Any]) -> None:
        self.lm = lm
        self.settings = dict(settings)

    @property
    def identity(self) -> dict[str, Any]:
        """That of the LM with the settings that are withheld."""
        own = {"model": ""} if self.lm is None else self.lm.identity
        return {**own, **self.settings}

    def complete(self, request: Request) -> NoReturn:
        """Refuse.

        Raises:
            EndpointWithheldError: always.
        """
        raise EndpointWithheldError(", ".join(public_url(str(each)) for each in self.settings.values()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.lm!r}, withheld: {', '.join(self.settings)})"
