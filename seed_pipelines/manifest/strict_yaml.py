"""Manifest text to plain data, with the place of every key and value.

Only mappings, lists, text, true/false, integers and decimals come out. Aliases, anchors, merge keys, tags,
directives, duplicate keys, null, NaN, text that is not UTF-8 in NFC, and anything over the limits is refused.
A plain scalar is text unless it is exactly `true`, `false` or a decimal number without leading zeros, plus sign,
underscore or exponent: an unquoted 22:00 stays the text "22:00", and `no`, `010` or `1e3` stay text as well.
JSON text is read by the same rules.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import cast

import yaml

from seed_pipelines.manifest.problems import Fault, Path, Plain, Problem, pointer_of, shown

MAX_BYTES = 256 * 1024
MAX_DEPTH = 20
MAX_NODES = 10_000
# A double holds 15 decimal digits exactly, so every JSON reader sees the number that we see.
MAX_DIGITS = 15

# libyaml is ten times as fast; where PyYAML was built without it, the same events come from the other loader.
_LOADER: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_NOTHING = frozenset({"", "~", "null", "Null", "NULL"})
_NOT_A_NUMBER = re.compile(r"[-+]?\.?(?:nan|inf|infinity)", re.IGNORECASE)
# Characters that YAML refuses, line breaks that editors do not count, and those that reverse the reading direction.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff]|\r(?!\n)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A stretch of the text: line and column count from 1, `start` and `stop` from 0."""

    line: int
    column: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """The data of a text and where it stands; `data` is None where the text could not be read to its end."""

    source: str
    data: Plain
    problems: tuple[Problem, ...]
    keys: Mapping[Path, Mark]
    values: Mapping[Path, Mark]

    def located(self, fault: Fault) -> Problem:
        """The problem that a fault in this document's data is."""
        places = (self.keys, self.values) if fault.on_key else (self.values, self.keys)
        mark = _mark_at(places, fault.path)
        return Problem(
            source=self.source,
            line=mark.line,
            column=mark.column,
            pointer=pointer_of(fault.path),
            rule=fault.rule,
            message=fault.message,
            value=fault.value,
            allowed=fault.allowed,
        )


class _Unreadable(Exception):
    """The reader cannot go on; the problem is noted. Never leaves this module."""


def read_document(content: bytes, *, source: str) -> Document:
    """The data of a manifest's bytes; every problem is in the document, none is raised."""
    reader = _Reader(source)
    data: Plain = None
    try:
        text = reader.text_of(content)
        data = reader.data_of(text)
    except _Unreadable:
        data = None
    return Document(
        source=source,
        data=data,
        problems=tuple(reader.problems),
        keys=reader.keys,
        values=reader.values,
    )


class _Reader:
    """Walks the parser's events once and notes problems on the way."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.problems: list[Problem] = []
        self.keys: dict[Path, Mark] = {}
        self.values: dict[Path, Mark] = {}
        self.nodes = 0
        self.events: Iterator[yaml.Event] = iter(())

    def text_of(self, content: bytes) -> str:
        if len(content) > MAX_BYTES:
            raise self.stop(1, 1, "too-big", f"the manifest is larger than {MAX_BYTES} bytes. Shorten it.")
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError as wrong:
            line, column = _line_and_column(content[: wrong.start].decode("utf-8"))
            raise self.stop(line, column, "not-utf8", "this byte is not UTF-8. Save the file as UTF-8.") from None
        if unseen := _UNSEEN.search(text):
            line, column = _line_and_column(text[: unseen.start()])
            name = f"U+{ord(unseen[0]):04X}"
            raise self.stop(line, column, "unseen-character", f"the character {name} cannot stand here. Remove it.")
        if not unicodedata.is_normalized("NFC", text):
            self.note_not_nfc(text)
        return text

    def note_not_nfc(self, text: str) -> None:
        for number, line in enumerate(text.split("\n"), start=1):
            if not unicodedata.is_normalized("NFC", line):
                self.note(number, 1, "not-nfc", "this line is not in Unicode form NFC. Type its accents again.")

    def data_of(self, text: str) -> Plain:
        self.events = iter(yaml.parse(text, Loader=_LOADER))
        try:
            return self.document()
        except yaml.MarkedYAMLError as wrong:
            mark = wrong.problem_mark or wrong.context_mark
            line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            why = f"this is not YAML: {wrong.problem or wrong.context}."
            raise self.stop(line, column, "yaml-syntax", why) from None

    def document(self) -> Plain:
        next(self.events)
        event = next(self.events)
        if isinstance(event, yaml.StreamEndEvent):
            raise self.stop(1, 1, "empty", "the manifest is empty. Make one with `seed-data manifest new`.")
        if getattr(event, "version", None) or getattr(event, "tags", None):
            self.note_at(event, (), "directive", "directives are not taken. Remove the lines that start with %.")
        data = self.node(next(self.events), ())
        next(self.events)
        after = next(self.events)
        if not isinstance(after, yaml.StreamEndEvent):
            mark = _mark(after)
            raise self.stop(
                mark.line, mark.column, "several-documents", "a second document starts. Keep one in each file."
            )
        return data

    def node(self, event: yaml.Event, path: Path) -> Plain:
        self.nodes += 1
        self.values[path] = _mark(event)
        self.check_limits(path)
        self.note_yaml_extras(event, path)
        if isinstance(event, yaml.ScalarEvent):
            return self.scalar(event, path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self.sequence(path)
        if isinstance(event, yaml.MappingStartEvent):
            return self.mapping(path)
        return None

    def check_limits(self, path: Path) -> None:
        line, column = self.values[path].line, self.values[path].column
        if self.nodes > MAX_NODES:
            raise self.stop(line, column, "too-many-nodes", f"there are more than {MAX_NODES} values. Shorten it.")
        if len(path) > MAX_DEPTH:
            raise self.stop(line, column, "too-deep", f"this is nested more than {MAX_DEPTH} deep. Flatten it.")

    def note_yaml_extras(self, event: yaml.Event, path: Path) -> None:
        if isinstance(event, yaml.AliasEvent):
            self.note_at(event, path, "alias", "aliases (*name) are not taken. Write the value out.")
            return
        if getattr(event, "anchor", None) is not None:
            self.note_at(event, path, "anchor", "anchors (&name) are not taken. Remove it.")
        if getattr(event, "tag", None) is not None:
            self.note_at(event, path, "tag", "tags (!name) are not taken. Remove it.")

    def sequence(self, path: Path) -> list[Plain]:
        items: list[Plain] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            items.append(self.node(event, (*path, len(items))))
        return items

    def mapping(self, path: Path) -> dict[str, Plain]:
        fields: dict[str, Plain] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            self.field(event, path, fields)
        return fields

    def field(self, event: yaml.Event, path: Path, fields: dict[str, Plain]) -> None:
        """One key and its value. The first of two equal keys is kept, so that the rest can still be checked."""
        if not isinstance(event, yaml.ScalarEvent):
            self.note_at(event, path, "key-not-text", "the name of a field must be plain text. Write it out.")
            raise _Unreadable
        name = event.value
        place = (*path, name)
        self.note_yaml_extras(event, place)
        self.note_if_not_nfc(event, place)
        if name == "<<" and event.style in (None, ""):
            self.note_at(event, place, "merge-key", "merge keys (<<) are not taken. Write the fields out.")
        if place in self.keys:
            first = self.keys[place].line
            why = f"field {shown(name)} stands twice in the same mapping; the first is on line {first}. Remove one."
            self.note_at(event, place, "duplicate-key", why)
            self.skip(place)
            return
        self.keys[place] = _mark(event)
        fields[name] = self.node(next(self.events), place)

    def skip(self, path: Path) -> None:
        """Read a value that is not kept, without losing the places of the one that is."""
        kept = self.keys, self.values
        self.keys, self.values = {}, {}
        self.node(next(self.events), path)
        self.keys, self.values = kept

    def scalar(self, event: yaml.ScalarEvent, path: Path) -> Plain:
        text = event.value
        self.note_if_not_nfc(event, path)
        if not event.implicit[0]:
            return text
        if text in _NOTHING:
            why = "there is no value here, and null is not one. Write the value, or leave the field out."
            self.note_at(event, path, "no-value", why)
            return None
        if _NOT_A_NUMBER.fullmatch(text):
            self.note_at(event, path, "not-a-number", f"{shown(text)} is not a number. Write a finite one.")
            return text
        return self.resolved(event, path)

    def resolved(self, event: yaml.ScalarEvent, path: Path) -> Plain:
        text = event.value
        if text in ("true", "false"):
            return text == "true"
        if not _NUMBER.fullmatch(text):
            return text
        if sum(map(str.isdigit, text)) > MAX_DIGITS:
            why = f"the number {shown(text)} has more than {MAX_DIGITS} digits. Write fewer, or quote it if it is text."
            self.note_at(event, path, "number-too-long", why)
            return text
        return Decimal(text) if "." in text else int(text)

    def note_if_not_nfc(self, event: yaml.ScalarEvent, path: Path) -> None:
        if not event.value.isascii() and not unicodedata.is_normalized("NFC", event.value):
            self.note_at(event, path, "not-nfc", "this text is not in Unicode form NFC. Type its accents again.")

    def note_at(self, event: yaml.Event, path: Path, rule: str, message: str) -> None:
        mark = _mark(event)
        self.note(mark.line, mark.column, rule, message, pointer=pointer_of(path))

    def note(self, line: int, column: int, rule: str, message: str, *, pointer: str = "") -> None:
        problem = Problem(source=self.source, line=line, column=column, pointer=pointer, rule=rule, message=message)
        self.problems.append(problem)

    def stop(self, line: int, column: int, rule: str, message: str) -> _Unreadable:
        self.note(line, column, rule, message)
        return _Unreadable()


def _mark(event: yaml.Event) -> Mark:
    # Every event of a parser has both marks; only events made by hand may lack them.
    start, end = cast(yaml.Mark, event.start_mark), cast(yaml.Mark, event.end_mark)
    return Mark(line=start.line + 1, column=start.column + 1, start=start.index, stop=end.index)


def _mark_at(places: tuple[Mapping[Path, Mark], ...], path: Path) -> Mark:
    """The mark of the nearest place at or above `path`."""
    for depth in range(len(path), -1, -1):
        for marks in places:
            if path[:depth] in marks:
                return marks[path[:depth]]
    return Mark(line=1, column=1, start=0, stop=0)


def _line_and_column(before: str) -> tuple[int, int]:
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
