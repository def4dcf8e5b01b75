"""What instances are told when they start, and what they then say of themselves: mostly what others were and said."""

from struct import Struct
from typing import Final, final

import attrs

from airssys_wasm.core.config import ComponentConfig
from airssys_wasm.core.limits import Limits
from airssys_wasm.core.ports import ComponentMetadata
from airssys_wasm.runtime.abi.capi import VAL_BYTES, bytes_at
from airssys_wasm.runtime.abi.pace import Lifting
from airssys_wasm.runtime.abi.values import SIZED, Codec, Keep, Value
from airssys_wasm.runtime.compiled import SIGNATURES, Signature
from airssys_wasm.runtime.wit import config_to_wit, metadata_from_wit

KEPT_BYTES: Final = 4096
KEPT_ITEMS: Final = 64
"""Configurations and metadata up to this size are kept for the next instance: text and data; variables, operations."""

_MAX_KNOWN: Final = 256
_TEXTS: Final = 5
"""The first fields of component-metadata; a list of more and a bool follow."""

_FIELDS: Final = Struct("<" + "24xQQ8x" * (_TEXTS + 1) + "24xB23x")
"""The entries of the record: how long each text is and where, the same of the list, and the bool."""

_ITEM: Final = Struct("<8xQQ8x")


@final
@attrs.frozen(eq=False)
class _Told:
    """A configuration with its image, and what that points to."""

    config: ComponentConfig
    limits: Limits
    image: bytes
    held: Keep


@final
@attrs.define(eq=False)
class Configurations:
    """component-config, made of a configuration and limits, from any thread; the last small one is kept."""

    codec: Codec
    _told: _Told | None = attrs.field(default=None, init=False)

    def lower(self, value: tuple[ComponentConfig, Limits], keep: Keep) -> bytes:
        """Make the image, or give that of the instance before where it is the same; raises BadValue, Heavy."""
        (config, limits), told = value, self._told
        if told is None or told.config != config or (told.limits is not limits and told.limits != limits):
            if not _is_small(config):
                return self.codec.lower(config_to_wit(config, limits), keep)
            held = Keep()
            told = self._told = _Told(config, limits, self.codec.lower(config_to_wit(config, limits), held), held)
        keep.append(told)
        return told.image

    def lift(self, image: bytes, lifting: Lifting) -> Value:
        """Read the value of an image."""
        return self.codec.lift(image, lifting)


@final
@attrs.define(eq=False)
class Metadatas:
    """component-metadata: those who say the same share one object. It is compared as it comes, read where it is new."""

    codec: Codec
    _known: dict[tuple[object, ...], ComponentMetadata] = attrs.field(factory=dict, init=False)

    def lower(self, value: Value, keep: Keep) -> bytes:
        """Make the image; raises BadValue."""
        return self.codec.lower(value, keep)

    def lift(self, image: bytes, lifting: Lifting) -> ComponentMetadata:
        """Read the value of an image; raises Heavy."""
        key = _said(image)
        known = self._known.get(key)
        if known is None:
            known = metadata_from_wit(self.codec.lift(image, lifting))
            if key:
                self._keep(key, known)
        return known

    def _keep(self, key: tuple[object, ...], metadata: ComponentMetadata) -> None:
        if len(self._known) >= _MAX_KNOWN:
            self._known.clear()
        self._known[key] = metadata


def signatures() -> dict[str, Signature]:
    """Those of the contract, for the instances of one engine."""
    initialize, metadata = SIGNATURES["initialize"], SIGNATURES["metadata"]
    assert metadata.result is not None  # noqa: S101 - it answers something
    return SIGNATURES | {
        "initialize": Signature((Configurations(initialize.params[0]),), initialize.result),
        "metadata": Signature((), Metadatas(metadata.result)),
    }


def _is_small(config: ComponentConfig) -> bool:
    if len(config.env) > KEPT_ITEMS:
        return False
    return len(config.data or b"") + sum(len(name) + len(value) for name, value in config.env) <= KEPT_BYTES


def _said(image: bytes) -> tuple[object, ...]:
    """All that is in metadata; nothing for large ones."""
    _, entries = SIZED.unpack_from(image, 8)
    *places, count, items, stateful = _FIELDS.unpack(bytes_at(entries, _FIELDS.size))
    if count > KEPT_ITEMS:
        return ()
    for place in _ITEM.iter_unpack(bytes_at(items, count * VAL_BYTES)):
        places += place
    if sum(places[::2]) > KEPT_BYTES:
        return ()
    return (stateful, *[bytes_at(at, size) for size, at in zip(places[::2], places[1::2], strict=True)])
