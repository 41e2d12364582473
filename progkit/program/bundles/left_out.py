"""LeftOut: what stands in a loaded program where its bundle left a part out."""

from typing import Any, ClassVar

from progkit.errors import LeftOutError
from progkit.program.module import Module


class LeftOut(Module):
    """The place of a part that did not travel (``modules_to_serialize``); any use of it says so.

    path: the part's, as ``named_sub_modules`` prints it. kind: its class, ``module:Class``. The part itself is
    given at load: ``load(path, parts={"retriever": my_retriever})``. This class's name stands in bundles.
    """

    own_state: ClassVar[frozenset[str]] = Module.own_state | {"left_out_path", "left_out_kind"}

    def __init__(self, path: str, kind: str) -> None:
        self.left_out_path = path
        self.left_out_kind = kind

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What cannot be done.

        Raises:
            LeftOutError: always.
        """
        raise LeftOutError(self.left_out_path, self.left_out_kind)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in type(self).own_state:
            raise AttributeError(name)
        raise LeftOutError(self.left_out_path, self.left_out_kind)

    def __repr__(self) -> str:
        return f"LeftOut({self.left_out_path!r}, {self.left_out_kind!r})"
