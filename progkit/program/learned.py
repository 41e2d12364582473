"""What one predictor has learned, as a node of a document and back: signature texts, demos, config, LM."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from progkit import artifact, schema
from progkit.adapters import layout_named, layout_of
from progkit.artifact import LoadReport
from progkit.errors import ConfigurationError, DocumentError, UnsavableError
from progkit.example import Example
from progkit.lm import LM, LanguageModel
from progkit.lm.endpoint import NAMES as ENDPOINTS
from progkit.lm.secrecy import public_url
from progkit.lm.settings import doubtful
from progkit.lm.state import split
from progkit.lm.withheld import WithheldLM
from progkit.program import marked
from progkit.program.held import Held
from progkit.signature import Field, Signature, type_adapter, type_text

if TYPE_CHECKING:
    from progkit.program.predict import Predict


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a node comes from: the file, the predictor's path; and the endpoints that the caller allows.

    dspy: the DSPy that saved the file first; "" if it does not say, None if progkit did. lm: the LM that the caller
    gives the predictor, whatever the file says.
    """

    source: str
    path: str
    allow_hosts: Sequence[str] = ()
    dspy: str | None = None
    lm: LanguageModel | None = None

    def at(self, where: str) -> str:
        """The place of *where* below this predictor."""
        return f"predictor {self.path}, {where}"


@dataclass(frozen=True, slots=True)
class Learned:
    """A predictor's state, built and not yet applied."""

    signature: type[Signature]
    demos: list[Example] | Held
    config: dict[str, Any]
    lm: LanguageModel | None
    layout: str | None


# --- out of a predictor -----------------------------------------------------------------------


def of(predictor: "Predict", path: str, dropped: list[str], *, for_dspy: bool = False) -> dict[str, Any]:
    """The node for *predictor*; what cannot or must not be saved is told in *dropped*.

    for_dspy: values of content types as DSPy's files hold them.

    Raises:
        UnsavableError: for a value that a state file cannot hold.
    """
    held_back = predictor.lm.settings if isinstance(predictor.lm, WithheldLM) else {}
    config, secrets = artifact.scrub({**held_back, **predictor.config}, f"{path}.config")
    dropped.extend(secrets)
    node = {
        "config": artifact.encode_values(config, f"{path}.config"),
        "demos": _demos(predictor, path, for_dspy),
        "lm": _lm(predictor.lm, path, dropped),
        "signature": describe(predictor.signature),
    }
    dropped.extend(_lost(node, predictor.signature, path))
    return node if predictor.layout is None else {**node, "layout": predictor.layout}


def _lost(node: Mapping[str, Any], signature: type[Signature], path: str) -> Iterator[str]:
    """Which values of *node* come back as plain data, as no type of the signature says what they are."""
    values: list[tuple[str, Mapping[str, Any], Mapping[str, Any]]] = [(f"{path}.config", {}, node["config"])]
    types = {name: field.type for name, field in signature.fields.items()}
    values += [(f"{path}.demos[{number}]", types, demo["values"]) for number, demo in enumerate(node["demos"])]
    for where, known, named in values:
        for name, each in named.items():
            if isinstance(each, (dict, list)):
                for lost in artifact.lost_classes(each, known.get(name)):
                    yield f"{where}.{name}: that it is a {lost}, as no type there says so; its plain value is"


def describe(signature: type[Signature]) -> dict[str, Any]:
    """The node for *signature*: instructions by line, fields by name."""
    return {
        "name": signature.name,
        "instructions": signature.instructions.split("\n"),
        "order": list(signature.fields),
        "fields": {name: _field(field) for name, field in signature.fields.items()},
    }


def _field(field: Field) -> dict[str, Any]:
    node = {
        "role": field.role,
        "type": type_text(field.type),
        "desc": field.desc,
        "prefix": field.prefix,
        "constraints": {},
    }
    if field.constraints:
        node["constraints"] = artifact.encode_value(dict(field.constraints), f"field {field.name}.constraints")
    if field.has_default and field.default_factory is None:
        node["default"] = artifact.encode_value(field.make_default(), f"field {field.name}.default")
    return node


def _demos(predictor: "Predict", path: str, for_dspy: bool) -> list[dict[str, Any]]:
    given: Any = predictor.demos
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise UnsavableError(f"{path}.demos", f"is a list of Examples or dicts, and not {given!r:.60}")
    demos = [_values(demo, f"{path}.demos[{n}]") for n, demo in enumerate(predictor.demos)]
    if for_dspy:
        demos = [marked.spell(demo) for demo in demos]
    values = [artifact.encode_values(demo, f"{path}.demos[{n}]") for n, demo in enumerate(demos)]
    nodes = [{"id": name, "values": each} for name, each in zip(artifact.demo_ids(values), values, strict=True)]
    usual = {None, frozenset(predictor.signature.input_fields)}
    for node, demo in zip(nodes, predictor.demos, strict=True):
        if isinstance(demo, Example) and demo.input_keys not in usual:
            node["inputs"] = sorted(demo.input_keys or ())
    return nodes


def _values(demo: Example | Mapping[str, Any], where: str) -> dict[str, Any]:
    if not isinstance(demo, Example | Mapping):
        raise UnsavableError(where, f"a demo is an Example or a dict, and not {demo!r:.60}")
    return dict(demo.items())


def _lm(lm: LanguageModel | None, path: str, dropped: list[str]) -> dict[str, Any] | None:
    if isinstance(lm, WithheldLM):
        return _lm(lm.lm, path, dropped)
    if lm is None:
        return None
    if not isinstance(lm, LM):
        dropped.append(f"{path}.lm: {type(lm).__name__} is no progkit.LM, its settings are not saved")
        return None
    settings, secrets = lm.dump_state()
    dropped.extend(f"{path}.lm.{each}" for each in secrets)
    return artifact.encode_values(settings, f"{path}.lm")


# --- into a predictor -------------------------------------------------------------------------


def build(node: Mapping[str, Any], live: type[Signature], origin: Origin, report: LoadReport) -> Learned:
    """What *node* says, with the types of the *live* signature.

    Raises:
        DocumentError: for a value that its field's type refuses.
    """
    config = artifact.decode_values(node["config"], None, origin.at("config"), None, origin.source)
    said, secrets = _scrubbed(config, f"{origin.path}.config")
    config, ways_out = artifact.confine(said, f"{origin.path}.config", origin.allow_hosts)
    report.dropped.extend(secrets + ways_out)
    report.notes.extend(f"{origin.path}.config: {each}; it is sent as it stands" for each in doubtful(config))
    withheld = {name: value for name, value in said.items() if name not in config and isinstance(value, str)}
    return Learned(
        _signature(node["signature"], live),
        _built_demos(node["demos"], live, origin),
        config,
        _held_back(_built_lm(node["lm"], origin, report), withheld, origin, report),
        _layout(node.get("layout"), origin),
    )


def _layout(name: str | None, origin: Origin) -> str | None:
    """The layout that prompts are in: the node's own, or that of the DSPy that the file is from."""
    try:
        if name is None:
            return layout_of(origin.dspy) if origin.dspy else None
        return layout_named(name).version
    except ConfigurationError as error:
        raise DocumentError(origin.source, origin.at("layout"), str(error)) from error


def _signature(node: Mapping[str, Any], live: type[Signature]) -> type[Signature]:
    """*live* with the texts of *node*; roles, types and constraints stay those of the code."""
    new = live
    instructions = "\n".join(node["instructions"])
    if instructions != live.instructions:
        new = new.with_instructions(instructions, exact=True)
    for name, saved in node["fields"].items():
        field = live.fields.get(name)
        if field is not None and (field.desc, field.prefix) != (saved["desc"], saved["prefix"]):
            new = new.with_updated_fields(name, desc=saved["desc"], prefix=saved["prefix"])
    return new


def columns(predictors: Iterable[tuple[str, "Predict"]]) -> tuple[tuple[str, schema.Columns], ...]:
    """What the demos of each of *predictors* hold if they are complete, and all their values words; by path."""
    fields = [(path, sorted(each.signature.fields.items())) for path, each in predictors]
    return tuple(
        (path, tuple((name, bool if field.type is bool else str) for name, field in each)) for path, each in fields
    )


def _built_demos(nodes: Sequence[Any], live: type[Signature], origin: Origin) -> list[Example] | Held:
    # A demo that does not say otherwise has the inputs of its predictor.
    usual = frozenset(live.input_fields)
    if schema.are_lean(nodes):  # and so of a file of progkit's own
        return Held([node.values for node in nodes], usual, schema.named_inputs(nodes))
    types = {name: field.type for name, field in live.fields.items()}
    values = artifact.decode_demos(nodes, types, origin.at("demos"), _restore, origin.source)
    if origin.dspy is not None:
        values = [marked.revive(each, types) for each in values]
    built = Example.many(values, usual)
    for index, node in enumerate(nodes):
        if "inputs" in node:
            built[index] = Example.of(values[index], frozenset(node["inputs"]))
    return built


def _restore(kind: Any, plain: Any) -> Any:
    return type_adapter(kind).validate_python(plain)


def _scrubbed(settings: Mapping[str, Any], where: str) -> tuple[dict[str, Any], list[str]]:
    """``artifact.scrub``; of an endpoint with a secret in it the rest stays, so that it is known that there was one."""
    clean, dropped = artifact.scrub(settings, where)
    lost = [name for name in ENDPOINTS if isinstance(settings.get(name), str) and name not in clean]
    return {**clean, **{name: public_url(settings[name]) for name in lost}}, dropped


def _held_back(
    lm: LanguageModel | None, withheld: Mapping[str, str], origin: Origin, report: LoadReport
) -> LanguageModel | None:
    """*lm*, or what asks nobody if the predictor's own settings led elsewhere: the caller has to say where to."""
    if not withheld or origin.lm is not None:
        return lm
    names = ", ".join(withheld)
    report.notes.append(f"{origin.path}: will ask no LM until its {names} is allowed, or set_lm() gives it one")
    return WithheldLM(lm, withheld)


def _built_lm(node: Mapping[str, Any] | None, origin: Origin, report: LoadReport) -> LanguageModel | None:
    if node is None or origin.lm is not None:
        return origin.lm
    where = f"{origin.path}.lm"
    settings, secrets = _scrubbed(artifact.decode_values(node, None, origin.at("lm"), None, origin.source), where)
    known, unread = split(settings)
    report.notes.extend(f"{where}: {each}; it is kept, and not sent" for each in doubtful(unread))
    known, ways_out = artifact.confine(known, where, origin.allow_hosts, (*ENDPOINTS, "model"))
    report.dropped.extend(secrets + ways_out)
    try:
        lm = LM.from_state({**unread, **known}, allow_hosts=origin.allow_hosts)
    except ConfigurationError as error:
        raise DocumentError(origin.source, origin.at("lm"), str(error)) from error
    if lm.withheld is not None:
        report.dropped.append(f"{origin.path}.lm: endpoint {lm.withheld} is not allowed; it will not be asked")
    return lm
