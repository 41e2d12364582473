"""Image: a picture as a field, by its URL or with its bytes."""

import base64
import io
import mimetypes
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pydantic

from progkit.content.base import Type, undescribed
from progkit.content.marking import unmarked

_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
)


class Image(Type):
    """A picture: an ``http(s)`` or ``gs`` URL, a ``data:`` URI, the bytes of a file, or a PIL image.

    Nothing is fetched and no file is read unless ``from_path`` is asked to; a URL is sent as it is. Bytes are sent
    as they are too, as a ``data:`` URI.

    Raises:
        pydantic.ValidationError: for a source that is none of these.
    """

    url: str

    model_config = pydantic.ConfigDict(
        frozen=True, validate_assignment=True, extra="forbid", str_strip_whitespace=True, json_schema_extra=undescribed
    )

    def __init__(self, source: Any = None, /, **fields: Any) -> None:
        super().__init__(**(fields if source is None else {**fields, "url": source}))

    @classmethod
    def from_path(cls, path: str | Path) -> "Image":
        """The picture in the file at *path*.

        Raises:
            OSError: if the file cannot be read.
            ValueError: if its name says of no kind of file.
        """
        kind = mimetypes.guess_type(str(path))[0]
        if kind is None:
            raise ValueError(f"the name of {path} says of no kind of file, such as .png")
        return cls(_data_uri(kind, Path(path).read_bytes()))

    @pydantic.model_validator(mode="before")
    @classmethod
    def _from_source(cls, value: Any) -> Any:
        # Also what DSPy's files say of an image, and a bare source where an image is expected.
        if isinstance(value, dict):
            return {**value, "url": _url_of(value["url"])} if "url" in value else value
        return value if isinstance(value, Image) else {"url": _url_of(value)}

    def format(self) -> list[dict[str, Any]]:
        """The one part that shows it."""
        return [{"type": "image_url", "image_url": {"url": self.url}}]

    def __str__(self) -> str:
        return repr(self)

    def __repr__(self) -> str:
        kind, base, data = self.url.partition(";base64,")
        return f"Image(url='{kind};base64,<{len(data)} characters>')" if base else f"Image(url={self.url!r})"


def _url_of(source: Any) -> str:
    if isinstance(source, Image):
        return source.url
    if isinstance(source, dict) and source.keys() == {"url"}:
        return _url_of(source["url"])
    if isinstance(source, (bytes, bytearray)):
        return _data_uri(_kind_of(bytes(source)), bytes(source))
    if isinstance(source, str):
        return _checked(source.strip())
    if hasattr(source, "save") and hasattr(source, "format"):  # PIL's, without importing it
        written = io.BytesIO()
        file_format = source.format or "PNG"
        source.save(written, format=file_format)
        return _data_uri(mimetypes.guess_type(f"x.{file_format.lower()}")[0] or "image/png", written.getvalue())
    raise ValueError(f"an image is a URL, bytes or a PIL image, not {type(source).__name__}")


def _checked(text: str) -> str:
    parts = unmarked(text)
    if parts is not None and len(parts) == 1 and "image_url" in parts[0]:
        return _checked(str(parts[0]["image_url"]["url"]))
    if text.startswith("data:"):
        return text
    try:
        where = urlsplit(text)
    except ValueError:
        where = urlsplit("")
    if where.scheme not in ("http", "https", "gs") or not where.netloc:
        raise ValueError(f"{text[:80]!r} is no URL of an image; a file is read by Image.from_path(...)")
    return text


def _kind_of(data: bytes) -> str:
    for start, kind in _SIGNATURES:
        if data.startswith(start):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    raise ValueError("these bytes are no PNG, JPEG, GIF, BMP or WebP image")


def _data_uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
