"""ChainOfThought: a predictor that is asked for its reasoning before its answer."""

from typing import Any

from progkit.example import Prediction
from progkit.program.module import Module
from progkit.program.predict import Predict
from progkit.signature import Field, OutputField, Signature, signature_of


class ChainOfThought(Module):
    """``Predict`` over *signature* with an output field ``reasoning`` before the others.

    rationale_field, rationale_field_type: another field, or another type, in its place. config: as
    for ``Predict``. The predictor's path is ``predict``.
    """

    def __init__(
        self,
        signature: str | type[Signature],
        rationale_field: Field | None = None,
        rationale_field_type: Any = str,
        **config: Any,
    ) -> None:
        plain = signature_of(signature)
        field = rationale_field or OutputField(desc="${reasoning}")
        if "reasoning" in plain.output_fields:
            # The author's own field comes first, as it is; DSPy does the same.
            field, rationale_field_type = plain.fields["reasoning"], plain.fields["reasoning"].type
            plain = plain.delete("reasoning")
        # The default instructions name the fields: they are those of the signature as it was given.
        extended = plain.with_instructions(plain.instructions).prepend("reasoning", field, rationale_field_type)
        self.predict = Predict(extended, **config)

    def forward(self, **inputs: Any) -> Prediction:
        """Ask; raises what ``Predict`` raises."""
        return self.predict(**inputs)

    async def aforward(self, **inputs: Any) -> Prediction:
        """Ask, without holding up the event loop."""
        return await self.predict.acall(**inputs)
