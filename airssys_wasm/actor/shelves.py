"""What a mailbox has to know of its messages so that its policy can drop one that is not the next (pure).

The messages themselves lie in the mailbox's channel, which gives nothing back but the first. So one that is dropped
stays there as an empty place until its turn; and one that replaces another is handed out at that one's place.
"""

from collections import OrderedDict
from typing import final

from airssys_wasm.actor.envelope import Envelope
from airssys_wasm.core.keys import Key


@final
class Oldest:
    """For `drop-oldest`: the messages that may be dropped, in order."""

    def __init__(self) -> None:
        self._order: OrderedDict[Envelope, None] = OrderedDict()

    def put(self, envelope: Envelope) -> Envelope | None:
        """A message goes in; None: it replaces nothing."""
        if not envelope.exempt:
            self._order[envelope] = None
        return None

    def take(self, place: Envelope) -> Envelope:
        """The message at the place that has come to its turn."""
        self._order.pop(place, None)
        return place

    def forget(self, envelope: Envelope) -> None:
        """A message is no longer wanted."""
        self._order.pop(envelope, None)

    def replaced_by(self, _envelope: Envelope) -> None:
        """Nothing is ever replaced."""

    def oldest(self) -> Envelope | None:
        """The one that is dropped next; None when there is none that may be."""
        return next(iter(self._order), None)


@final
class Latest:
    """For `latest-by-key`: who waits for each key, and at whose place."""

    def __init__(self, key: Key) -> None:
        self._key = key
        self._places: dict[bytes, Envelope] = {}
        self._newest: dict[Envelope, Envelope] = {}

    def put(self, envelope: Envelope) -> Envelope | None:
        """A message goes in; the one that it replaces, None when it has a place of its own."""
        key = self._key_of(envelope)
        place = self._places.get(key) if key else None
        if place is not None:
            older, self._newest[place] = self._newest[place], envelope
            return older
        if key:
            self._places[key] = self._newest[envelope] = envelope
        return None

    def take(self, place: Envelope) -> Envelope:
        """The message that has the place that has come to its turn."""
        newest = self._newest.pop(place, place)
        if newest.key and self._places.get(newest.key) is place:
            del self._places[newest.key]
        return newest

    def forget(self, envelope: Envelope) -> None:
        """A message is no longer wanted: the next one with its key gets a place of its own."""
        place = self._places.get(envelope.key or b"")
        if place is not None and self._newest[place] is envelope:
            del self._places[envelope.key or b""]

    def replaced_by(self, envelope: Envelope) -> Envelope | None:
        """The message that this one would replace; None when there is none."""
        place = self._places.get(self._key_of(envelope))
        return None if place is None else self._newest[place]

    def oldest(self) -> None:
        """None: nothing is dropped for want of room."""

    def _key_of(self, envelope: Envelope) -> bytes:
        if envelope.key is None:
            envelope.key = b"" if envelope.exempt else self._key.of(envelope.message.payload.data)
        return envelope.key
