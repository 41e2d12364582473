"""The program that ``progkit demo`` shows: a support desk, two predictors, fourteen demos in ``showcase.json``."""

from pathlib import Path
from typing import Literal

from progkit.example import Prediction
from progkit.program import ChainOfThought, Module, Predict
from progkit.signature import InputField, OutputField, Signature

STATE = Path(__file__).with_name("showcase.json")
MODEL = "progkit/demo"


class Triage(Signature):
    """Sort a support ticket."""

    ticket: str = InputField(desc="what the customer wrote")
    plan: Literal["free", "team", "enterprise"] = InputField()
    category: Literal["billing", "bug", "how-to", "account", "security"] = OutputField()
    urgency: Literal["low", "normal", "high"] = OutputField()


class Answer(Signature):
    """Draft the answer to a support ticket."""

    ticket: str = InputField(desc="what the customer wrote")
    category: str = InputField()
    urgency: str = InputField()
    reply: str = OutputField(desc="what we send back")
    escalate: bool = OutputField(desc="whether a person must look at it today")


class SupportDesk(Module):
    """Sorts a ticket, then drafts its answer."""

    def __init__(self) -> None:
        self.triage = ChainOfThought(Triage)
        self.answer = Predict(Answer)

    def forward(self, ticket: str, plan: str = "free") -> Prediction:
        """The drafted reply, with how the ticket was sorted."""
        sorted_as = self.triage(ticket=ticket, plan=plan)
        drafted = self.answer(ticket=ticket, category=sorted_as.category, urgency=sorted_as.urgency)
        return Prediction(
            category=sorted_as.category, urgency=sorted_as.urgency, reply=drafted.reply, escalate=drafted.escalate
        )
