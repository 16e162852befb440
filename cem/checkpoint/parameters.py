"""The fields of a dataclass as a file keeps them: numbers, texts, families, and tuples of these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from cem.checkpoint import file as checkpoint
from cem.families.base import Array, Storable, is_family


def pack_fields(value: Any, prefix: str) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return what a header says of the fields of a dataclass, and the arrays of the families among them.

    Raises
    ------
    TypeError
        If a field holds something else.
    """
    arrays: dict[str, Array] = {}

    def pack(name: str, each: Any) -> Any:
        if each is None or isinstance(each, bool | int | float | str):
            return each
        if isinstance(each, tuple | list):
            return [pack(f"{name}.{i}", part) for i, part in enumerate(each)]
        if is_family(each) and isinstance(each, Storable):
            arrays.update(checkpoint.group(name, each.to_arrays()))
            return {"family": type(each).__name__, "arrays": name}
        raise TypeError(
            f"{type(value).__name__} cannot be saved: {name.removeprefix(prefix)[1:]} is a "
            f"{type(each).__name__}, not a number, a text or a family that has to_arrays()."
        )

    return {
        each.name: pack(f"{prefix}.{each.name}", getattr(value, each.name)) for each in fields(value)
    }, arrays


def unpack_fields(
    packed: Mapping[str, Any], arrays: Mapping[str, Array], known: Mapping[str, type]
) -> dict[str, Any]:
    """Return the fields that `pack_fields` kept.

    Raises
    ------
    ValueError
        If a family is not among the `known` classes, or something else than a field is there.
    """

    def unpack(name: str, each: Any) -> Any:
        if isinstance(each, list):
            return tuple(unpack(name, part) for part in each)
        if not isinstance(each, dict):
            return each
        family, place = (checkpoint.check_entry(each, key, str) for key in ("family", "arrays"))
        if family not in known:
            raise ValueError(
                f"it was saved with {family}, which is not part of cem: load(path, own=[{family}])"
            )
        made = known[family].from_arrays(checkpoint.ungroup(place, arrays))  # type: ignore[attr-defined]
        if not is_family(made):
            raise ValueError(f"{name} is no family")
        return made

    return {name: unpack(name, each) for name, each in packed.items()}
