"""The reference of scenario files, generated from the models: Markdown for people, JSON Schema for editors.

`python -m bench.scenario.reference` prints the Markdown that `docs/scenario.md` holds.
"""

import json
import re
import sys
import types
from collections.abc import Iterator
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ByteSize
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from bench.scenario.scenario import Scenario, Workload
from bench.units import format_duration, parse_size

SCHEMA_FILE = "busbench.schema.json"
"""What the schema is called where it lies beside a scenario."""
SCHEMA_LINE = f"#:schema ./{SCHEMA_FILE}"
"""The first line of a scenario by which editors find it (https://taplo.tamasfe.dev/configuration/directives.html)."""
NEVER_GIVEN = {("Workload", "sizes"): "size", ("Workload", "part_of"): "", ("Workload", "at"): ""}
"""Fields that a scenario file does not have, and the one whose list becomes them, where there is one."""
SWEEP = "sweep"
"""The one key of the table that gives a field several values."""
RATE, IN_FLIGHT = "load.rate", "load.in_flight"
"""The fields of a load, as paths of a workload, whose sweep may be a bare list."""
NOT_SWEPT = ("name", "description", "only", "kind")
"""Fields of a workload that say what it is."""
_HEAD = """# Scenario files

A scenario is a TOML file: a question, the brokers and targets it is about, what is done to
them, and by what plan. This page is generated from the code (`python -m bench.scenario.reference`);
`bench schema` prints the same as JSON Schema for editors. [shapes.md](shapes.md) has examples to copy.
Durations are text with a unit (`"500ms"`, `"5s"`, `"2min"`), sizes are bytes or text (`"1GiB"`). Any
field can be changed for one run: `bench run NAME --set workloads.steady.size=1024`.

Any field of a workload that takes one value, and any below it, also takes several in turn: a sweep.

```toml
size = { sweep = [32, "1KiB", "32KiB"] }
prefetch = { sweep = [64, 1000] }
load = { kind = "rate", rate = { sweep = [500, 2000] } }   # as well: rate = [500, 2000]
```

Several sweeps make their full product, of at most 100 points. Each point is a workload of its own, such as
`steady-1kib-p64-500`; the name of the whole, `steady`, stands for all of them in `quick.workloads` and in limits.
`bench run NAME --plan` says how many trials that makes, and
`--set 'workloads.steady.size={sweep=[32, 1024]}'` sweeps for one run. Reports draw one swept field as a curve, two as
a panel for each value of one of them, and tell of more where each target is best and worst.
"""


def scenario_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of scenario files."""
    found = Scenario.model_json_schema()
    for (model, name), instead in NEVER_GIVEN.items():
        properties = found["$defs"][model]["properties"]
        kept = properties.pop(name)
        if instead:
            shown = properties[instead]
            single = {key: shown.pop(key) for key in [*shown] if key not in {"default", "description", "title"}}
            shown["anyOf"] = [single, {"type": "array", "items": kept["items"], "minItems": 1}]
    for below in models_below(Workload):
        for name, shown in found["$defs"][below.__name__]["properties"].items():
            if name not in NOT_SWEPT:
                _allow_sweep(shown, or_list=(below.__name__, name) == ("RateLoad", "rate"))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | found


def _allow_sweep(shown: dict[str, Any], *, or_list: bool) -> None:
    """Let the schema of a field also have a sweep of what it allows, or a list alone of that."""
    single = {key: shown.pop(key) for key in [*shown] if key not in {"default", "description", "title"}}
    several = {"type": "array", "items": single, "minItems": 1}
    table = {"type": "object", "properties": {SWEEP: several}, "required": [SWEEP], "additionalProperties": False}
    shown["anyOf"] = [single, *([several] if or_list else []), table]


def schema_text(indent: int = 2) -> str:
    """Return the JSON Schema of scenario files as text."""
    return json.dumps(scenario_schema(), indent=indent, ensure_ascii=False) + "\n"


def scenario_markdown() -> str:
    """Return the reference as Markdown: one table a model, in the order of first use."""
    return model_markdown(_HEAD, Scenario)


def model_markdown(head: str, root: type[BaseModel]) -> str:
    """Return a page on a model and all below it: the head, then one table a model.

    Args:
        head: Markdown that opens the page.
        root: the outermost model.
    """
    parts = [head]
    for model in models_below(root):
        summary = (model.__doc__ or "").strip()
        parts.append(f"## {model.__name__}\n\n{_unwrap(summary)}\n\n{_table(model)}")
    return "\n".join(parts)


def models_below(model: type[BaseModel]) -> list[type[BaseModel]]:
    """Return a model and every model that its fields lead to, each once, in the order of first use."""
    inner = (found for field in model.model_fields.values() for found in models_within(field.annotation))
    below = (deeper for found in inner for deeper in models_below(found))
    return list(dict.fromkeys([model, *below]))


def models_within(annotation: object) -> Iterator[type[BaseModel]]:
    """Return the models that a field's annotation names, such as both of `A | tuple[B, ...]`."""
    for leaf in _leaves(annotation):
        if isinstance(leaf, type) and issubclass(leaf, BaseModel):
            yield leaf


def _leaves(annotation: object) -> Iterator[object]:
    arguments = get_args(annotation)
    if get_origin(annotation) is Literal or not arguments:
        yield annotation
    for argument in arguments if get_origin(annotation) is not Literal else ():
        yield from _leaves(argument)


def _table(model: type[BaseModel]) -> str:
    lines = ["| field | type | default | meaning |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        meaning = _unwrap(field.description or "").replace("|", "\\|")
        lines.append(f"| `{name}` | {_type(field)} | {_default(field)} | {meaning} |")
    return "\n".join(lines) + "\n"


def type_words(field: FieldInfo) -> str:
    """Return the type of a field and its bounds in words, without Markdown."""
    return re.sub(r"\[(\w+)\]\(#\w+\)", r"\1", _type(field)).replace("`", "")


def _type(field: FieldInfo) -> str:
    bounds = [
        f"{sign} {getattr(limit, attribute):,}"
        for limit in field.metadata
        for attribute, sign in (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<"))
        if hasattr(limit, attribute)
    ]
    text = "duration" if is_duration(field) else "size" if is_size(field) else _name(field.annotation)
    return f"{text}, {', '.join(bounds)}" if bounds and text != "duration" else text


def _name(annotation: object) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(_name(a) for a in arguments if a is not type(None))
    if origin is tuple:
        return f"list of {_name(arguments[0])}"
    if arguments:
        # A table is named by its values; one of texts is documented as text.
        return f"{_name(arguments[1])} by name" if origin is dict and arguments[1] is not str else _name(arguments[0])
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"[{annotation.__name__}](#{annotation.__name__.lower()})"
    names = {"str": "text", "int": "integer", "float": "number", "bool": "true or false"}
    name = getattr(annotation, "__name__", str(annotation))
    return names.get(name, name)


def field_at(field: str) -> FieldInfo | None:
    """Return the field of a workload's models that a path means; None where there is none."""
    models: list[type[BaseModel]] = [Workload]
    found: FieldInfo | None = None
    for step in field.split("."):
        if step.isdigit():
            continue
        found = next((model.model_fields[step] for model in models if step in model.model_fields), None)
        if found is None:
            return None
        models = list(models_within(found.annotation))
    return found


def is_bytes(field: str) -> bool:
    """Return whether a path means a field that is bytes."""
    found = field_at(field)
    return found is not None and is_size(found)


def is_duration(field: FieldInfo) -> bool:
    """Return whether a field is a time, written with its unit."""
    return any(type(part).__name__ == "WithJsonSchema" and "pattern" in part.json_schema for part in _metadata(field))


def is_size(field: FieldInfo) -> bool:
    """Return whether a field is bytes, which may be written with a unit."""
    return field.annotation is ByteSize or any(getattr(part, "func", None) is parse_size for part in _metadata(field))


def _metadata(field: FieldInfo) -> Iterator[Any]:
    """Yield what is said of a field's type, also where it may be left out: `Think | None`."""
    yield from field.metadata
    if get_origin(field.annotation) in (Union, types.UnionType):
        for one in get_args(field.annotation):
            yield from getattr(one, "__metadata__", ())


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None or value is PydanticUndefined or value in ("", ()):
        return ""
    if is_duration(field):
        return f"`{format_duration(value)}`"
    if isinstance(value, BaseModel):
        return "see there"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:,}`" if isinstance(value, int) else f"`{value}`"


def _unwrap(text: str) -> str:
    paragraphs = [" ".join(part.split()) for part in text.split("\n\n")]
    return " ".join(paragraphs)


if __name__ == "__main__":
    sys.stdout.write(scenario_markdown())
