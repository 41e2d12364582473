"""Type: the base of content types, the built-in ones and anybody's own."""

from typing import Any

import pydantic

from progkit.content.parts import Content, sink_of


class Type(Content, pydantic.BaseModel):
    """A model that says itself how it stands in a message.

    ``format`` returns a text, or a list of parts as the providers' chat APIs take them
    (``{"type": "image_url", ...}``). ``description`` is shown beside the field. In files and elsewhere it
    is a pydantic model like any other.

    ::

        class Sound(progkit.Type):
            data: str

            def format(self):
                return [{"type": "input_audio", "input_audio": {"data": self.data, "format": "wav"}}]
    """

    def format(self) -> list[dict[str, Any]] | str:
        """The parts of a message that say the value, or its text."""
        return str(self)

    @pydantic.model_serializer(mode="wrap")
    def serialize_model(self, handler: Any, info: pydantic.SerializationInfo) -> Any:
        """The fields; in a message, what ``format`` makes of them."""
        sink = sink_of(info.context)
        if sink is None:
            return handler(self)
        said = self.format()
        return sink(said) if isinstance(said, list) else said


def undescribed(schema: dict[str, Any]) -> None:
    """Take the documentation of the class out of its JSON *schema*: it is for readers of the code, not for models."""
    schema.pop("description", None)


class Blocks(Type):
    """Parts of a message as they stand: what a value of some content type was when DSPy saved it."""

    blocks: list[dict[str, Any]]

    def format(self) -> list[dict[str, Any]] | str:
        """The parts."""
        return self.blocks
