"""What a value consists of, told by its content: equal values alike, in every process."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from cem.checkpoint.contents import Contents, take_apart

DEEPEST = 120  # levels of a value that are looked at: the interpreter's stack holds a thousand calls
MOST = 10**6  # values that are looked at: ten seconds
LONGEST = 60  # characters of a value that a message shows
NAMED_LEVELS, NAMED_PARTS = 5, 400  # of a value, that are compared by themselves and named in a message
CODE = "(code)"


class Description(NamedTuple):
    """A value for people, the digest of all that it consists of, and the digest of all but code."""

    text: str
    content: str
    values: str


@dataclass(frozen=True)
class _Node:
    """A value that has been described.

    Attributes
    ----------
    description : Description
    members : mapping of str to _Node
    named : bool
        Whether its members are worth a line of their own.
    hidden : str
        What of it cannot be told by its content; empty where all can.
    """

    description: Description
    members: Mapping[str, _Node]
    named: bool
    hidden: str


def describe(value: Any) -> Description:
    """Describe a value."""
    return _Describer().node(value).description


def describe_parts(values: Mapping[str, Any]) -> tuple[dict[str, Description], str]:
    """Describe named values and their parts, ``"name.part"``; also say what content cannot tell of them."""
    parts: dict[str, Description] = {}
    hidden = ""
    for name, value in values.items():
        node = _Describer().node(value)
        parts |= dict(_flat(name, node, 0, [NAMED_PARTS]))
        hidden = hidden or (f"{name} holds {node.hidden}, which content cannot tell" if node.hidden else "")
    return parts, hidden


def differences(
    before: Mapping[str, Description], now: Mapping[str, Description], code: bool
) -> dict[str, str]:
    """Return what differs between the parts of two descriptions, in words, by the smallest part that says it.

    Parameters
    ----------
    before, now : mapping of str to Description
    code : bool
        Whether to compare code, which only the same version of the interpreter writes alike.
    """
    digest = 1 if code else 2
    found: dict[str, str] = {}
    different = [
        name
        for name in {**before, **now}
        if name not in before or name not in now or before[name][digest] != now[name][digest]
    ]
    for name in sorted(different, key=len):
        if any(name.startswith(f"{each}.") for each in found):
            continue
        if name not in before or name not in now:
            found[name] = f"{name} was {_text(before, name)} and is now {_text(now, name)}"
        elif name.endswith(f".{CODE}"):
            owner = name.removesuffix(f".{CODE}")
            found[name] = f"the code of {owner} ({_text(now, owner)}) has changed"
        elif before[name].text != now[name].text:
            found[name] = f"{name} was {before[name].text} and is now {now[name].text}"
        elif not any(each.startswith(f"{name}.") for each in different):
            found[name] = f"{name} ({now[name].text}) has changed"
    return found


def _text(parts: Mapping[str, Description], name: str) -> str:
    return parts[name].text if name in parts else "not there"


def _flat(name: str, node: _Node, level: int, left: list[int]) -> Iterator[tuple[str, Description]]:
    """Yield a node and the parts of it that are worth naming, while there are any left."""
    left[0] -= 1
    yield name, node.description
    if node.named and level < NAMED_LEVELS and len(node.members) <= left[0]:
        for each, member in node.members.items():
            yield from _flat(f"{name}.{each}", member, level + 1, left)


class _Describer:
    """Describes the parts of one value, each once."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Any, _Node]] = {}  # the value too, so that no other takes its identity
        self._above: dict[int, int] = {}
        self._seen = 0

    def node(self, value: Any) -> _Node:
        key, level = id(value), len(self._above)
        if key in self._known:
            return self._known[key][1]
        if key in self._above:
            return _node(Contents("…", f"itself, {level - self._above[key]} levels up"), {})
        self._seen += 1
        if level >= DEEPEST or self._seen > MOST:
            return _node(Contents(type(value).__name__, hidden="very deep or large structures"), {})
        try:
            contents = take_apart(value)
        except Exception:  # an object of the user's may break when it is looked at
            return _node(Contents(type(value).__name__, hidden=type(value).__name__), {})
        if not contents.members:
            return _node(contents, {})
        self._above[key] = level
        members = {name: self.node(each) for name, each in contents.members.items()}
        del self._above[key]
        node = _node(contents, members)
        self._known[key] = value, node
        return node


def _node(contents: Contents, members: Mapping[str, _Node]) -> _Node:
    """Put a description together from that of the members."""
    if contents.unordered:
        each = sorted(members.values(), key=lambda member: member.description[1:])
        members = {str(i): member for i, member in enumerate(each)}
    hidden = contents.hidden or next((member.hidden for member in members.values() if member.hidden), "")
    text = contents.text
    if contents.shown:
        inside = (
            f"{name}: {member.description.text}"
            if contents.shown == "{}" and not contents.unordered
            else member.description.text
            for name, member in members.items()
        )
        text = f"{contents.shown[0]}{', '.join(inside)}{contents.shown[1]}"
    full = _digest(contents.content, ((name, each.description.content) for name, each in members.items()))
    own = "" if contents.code else contents.content
    values = _digest(own, ((name, each.description.values) for name, each in members.items()))
    named = not contents.shown or any(member.named and member.members for member in members.values())
    return _Node(Description(_shorten(text), full, values), members, named, hidden)


def _digest(content: str, members: Iterable[tuple[str, str]]) -> str:
    hasher = hashlib.blake2b(content.encode(errors="surrogatepass"), digest_size=16)
    for name, digest in sorted(members):
        hasher.update(f"\0{name}\0{digest}".encode(errors="surrogatepass"))
    return hasher.hexdigest()


def _shorten(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    mark = hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=4).hexdigest()
    return f"{text[: LONGEST - 10]}… {mark}"
