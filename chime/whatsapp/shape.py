"""Reads input of our own (API, forms, bots) into Structs and reports everything that is wrong with it at once.

`msgspec.convert` stops at the first mistake; a person who filled in a form, or a script's author, wants the whole list.
The Structs stay the only description: types and limits stand in their annotations, rules over several fields in a
`rules` method. Promise: `read` raises nothing, whatever the input; when it reports no problem the value has the type.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

from msgspec import Struct
from msgspec import inspect as shapes

from chime.errors import Sentence

_FAILED: Final = object()
_NESTING = 32  # deeper than any message of Meta's, shallow enough for the interpreter's stack

Problems = list[tuple[str, str]]


class Ruled(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of every Struct of a message we send."""

    def rules(self) -> Iterable[tuple[str, str]]:
        """Rules that no single field can state: (field within this Struct or "", what is wrong)."""
        return ()


def read(type_: Any, given: object) -> tuple[Any, Problems]:
    """The value of `type_` that `given` describes, and every problem as (dotted field, words). Mind the problems first:
    with any of them the value may be None or break a limit."""
    reader = _Reader()
    value = reader.read(_shape(type_), given, ())
    return (None if value is _FAILED else value), reader.problems


@lru_cache(maxsize=64)
def _shape(type_: Any) -> shapes.Type:
    return shapes.type_info(type_)


class _Reader:
    """One walk over one input; collects as it goes."""

    def __init__(self) -> None:
        self.problems: Problems = []

    def read(self, shape: shapes.Type, given: object, path: tuple[str, ...]) -> Any:
        if len(path) > _NESTING:
            return self._refuse(path, "is nested too deeply")
        return _READERS[type(shape)](self, shape, given, path)

    def _refuse(self, path: tuple[str, ...], words: str) -> object:
        # An unknown key is the sender's text: cut short, and a lone surrogate in it must not break our answer.
        named = ".".join(part[:100] for part in path).encode(errors="replace").decode()
        self.problems.append((named, words))
        return _FAILED

    def _described(self, shape: shapes.Metadata, given: object, path: tuple[str, ...]) -> Any:
        """A type with words for the API's description; they say nothing of the value."""
        return self.read(shape.type, given, path)

    def _struct(self, shape: shapes.StructType, given: object, path: tuple[str, ...]) -> Any:
        if not isinstance(given, Mapping):
            return self._refuse(path, "must be an object")
        tag_field = shape.tag_field
        if tag_field is not None and given.get(tag_field, shape.tag) != shape.tag:
            return self._refuse((*path, tag_field), f"must be “{shape.tag}”")
        known = {field.encode_name for field in shape.fields} | {tag_field}
        for name in given:
            if name not in known:
                self._refuse((*path, str(name)), "is not known here")
        values: dict[str, Any] = {}
        for field in shape.fields:
            if field.encode_name not in given:
                if field.required:
                    values[field.name] = self._refuse((*path, field.encode_name), "is missing")
                continue
            values[field.name] = self.read(field.type, given[field.encode_name], (*path, field.encode_name))
        if any(value is _FAILED for value in values.values()):
            return _FAILED
        built = shape.cls(**values)
        if isinstance(built, Ruled):
            self.problems.extend((".".join(part for part in (*path, at) if part), why) for at, why in built.rules())
        return built

    def _union(self, shape: shapes.UnionType, given: object, path: tuple[str, ...]) -> Any:
        if given is None and any(isinstance(kind, shapes.NoneType) for kind in shape.types):
            return None
        structs = [kind for kind in shape.types if isinstance(kind, shapes.StructType)]
        if len(structs) > 1:
            return self._tagged(structs, given, path)
        kinds = [kind for kind in shape.types if not isinstance(kind, shapes.NoneType)]
        if len(kinds) == 1:
            return self.read(kinds[0], given, path)
        fitting = (kind for kind in kinds if isinstance(given, _PLAIN.get(type(kind), ())))
        return self.read(next(fitting, kinds[0]), given, path)

    def _tagged(self, structs: list[shapes.StructType], given: object, path: tuple[str, ...]) -> Any:
        if not isinstance(given, Mapping):
            return self._refuse(path, "must be an object")
        tag_field = structs[0].tag_field or "type"
        tag = given.get(tag_field)
        for struct in structs:
            if struct.tag == tag:
                return self.read(struct, given, path)
        if tag is None:
            return self._refuse((*path, tag_field), "is missing")
        known = sorted(str(struct.tag) for struct in structs)
        return self._refuse((*path, tag_field), "must be one of " + ", ".join(known))

    def _list(self, shape: shapes.ListType | shapes.VarTupleType, given: object, path: tuple[str, ...]) -> Any:
        if not isinstance(given, list | tuple):
            return self._refuse(path, "must be a list")
        self._count(shape.min_length, shape.max_length, len(given), path)
        # A list far over its limit is not read through: one problem says it all.
        items = [self.read(shape.item_type, item, (*path, str(at))) for at, item in enumerate(given[:1000])]
        if any(item is _FAILED for item in items):
            return _FAILED
        return items if isinstance(shape, shapes.ListType) else tuple(items)

    def _count(self, least: int | None, most: int | None, found: int, path: tuple[str, ...]) -> None:
        if most is not None and found > most:
            self._refuse(path, Sentence("may have at most %(most)s entries, not %(given)s", most=most, given=found))
        elif least is not None and found < least:
            self._refuse(path, "needs at least one entry" if least == 1 else f"needs at least {least} entries")

    def _dict(self, shape: shapes.DictType, given: object, path: tuple[str, ...]) -> Any:
        if not isinstance(given, Mapping):
            return self._refuse(path, "must be an object")
        if shape.min_length and len(given) < shape.min_length:
            self._refuse(path, "must not be empty")
        read = {}
        for key, item in given.items():
            if self._text(shapes.StrType(), key, (*path, str(key))) is not _FAILED:
                read[key] = self.read(shape.value_type, item, (*path, key))
        return _FAILED if any(item is _FAILED for item in read.values()) else read

    def _text(self, shape: shapes.StrType, given: object, path: tuple[str, ...]) -> Any:
        if not isinstance(given, str):
            return self._refuse(path, "must be text")
        if "\x00" in given or not _encodable(given):
            return self._refuse(path, "holds a character that cannot be sent")
        if shape.min_length and not given.strip():
            self._refuse(path, "must not be empty")
        elif shape.max_length is not None and len(given) > shape.max_length:
            self._refuse(path, Sentence("may have at most %(most)s characters, not %(given)s", most=shape.max_length,
                                        given=len(given)))
        elif shape.min_length and len(given) < shape.min_length:
            self._refuse(path, f"needs at least {shape.min_length} characters")
        elif shape.pattern is not None and not re.search(shape.pattern, given):
            self._refuse(path, "does not have the right form")
        return given

    def _number(self, shape: shapes.IntType | shapes.FloatType, given: object, path: tuple[str, ...]) -> Any:
        whole = isinstance(shape, shapes.IntType)
        if isinstance(given, bool) or not isinstance(given, int if whole else int | float):
            return self._refuse(path, "must be a whole number" if whole else "must be a number")
        if (shape.ge is not None and not given >= shape.ge) or (shape.le is not None and not given <= shape.le):
            self._refuse(path, f"must lie between {shape.ge} and {shape.le}")
        return given

    def _truth(self, shape: shapes.BoolType, given: object, path: tuple[str, ...]) -> Any:
        return given if isinstance(given, bool) else self._refuse(path, "must be true or false")

    def _literal(self, shape: shapes.LiteralType, given: object, path: tuple[str, ...]) -> Any:
        if isinstance(given, str | int) and not isinstance(given, bool) and given in shape.values:
            return given
        return self._refuse(path, "must be " + " or ".join(f"“{value}”" for value in shape.values))

    def _anything(self, shape: shapes.AnyType, given: object, path: tuple[str, ...]) -> Any:
        """Free JSON, such as a flow's data: looked through all the same for what cannot be encoded."""
        if isinstance(given, str):
            return self._text(shapes.StrType(), given, path)
        if isinstance(given, list | tuple):
            return self.read(shapes.ListType(shape), given, path)
        if isinstance(given, Mapping):
            return self.read(shapes.DictType(shapes.StrType(), shape), given, path)
        if given is None or isinstance(given, bool | int | float):
            return given
        return self._refuse(path, "must be JSON")


def _encodable(given: str) -> bool:
    """A lone surrogate is a str in Python and no text anywhere else."""
    try:
        given.encode()
    except UnicodeEncodeError:
        return False
    return True


_PLAIN: dict[type, Any] = {
    shapes.StrType: str, shapes.FloatType: (int, float), shapes.IntType: int, shapes.BoolType: bool,
    shapes.StructType: Mapping, shapes.DictType: Mapping, shapes.ListType: (list, tuple),
}
_READERS: dict[type, Callable[..., Any]] = {
    shapes.StructType: _Reader._struct, shapes.UnionType: _Reader._union, shapes.ListType: _Reader._list,
    shapes.VarTupleType: _Reader._list, shapes.DictType: _Reader._dict, shapes.StrType: _Reader._text,
    shapes.IntType: _Reader._number, shapes.FloatType: _Reader._number, shapes.BoolType: _Reader._truth,
    shapes.LiteralType: _Reader._literal, shapes.AnyType: _Reader._anything, shapes.Metadata: _Reader._described,
}
