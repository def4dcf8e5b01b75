"""What becomes of a message that finds a full mailbox, or a waiting message with the same key (pure)."""

from enum import StrEnum
from typing import Final

import attrs

from airssys_wasm.core.config import one_of
from airssys_wasm.core.errors import ConfigError
from airssys_wasm.core.keys import Key


class MailboxRule(StrEnum):
    """What a mailbox does; `MailboxPolicy` has the table."""

    WAIT = "wait"
    REJECT = "reject"
    DROP_OLDEST = "drop-oldest"
    DROP_NEWEST = "drop-newest"
    LATEST_BY_KEY = "latest-by-key"


def _rule(value: object) -> MailboxRule:
    return one_of(MailboxRule, "mailbox", value)


def _key(value: object) -> Key | None:
    if isinstance(value, Key | None):
        return value
    if isinstance(value, str):
        return Key.parse(value)
    raise ConfigError("key", value, 'is no str like "json:field" or "bytes:start:stop"')


@attrs.frozen
class MailboxPolicy:
    """What a component's mailbox does with a message that has no room.

    | rule | a message that does not fit | its sender |
    |---|---|---|
    | `wait` | waits outside, first come first served | waits: ask within its timeout, a guest up to `send_wait` |
    | `reject` | is refused | gets `MailboxFull` at once, a guest queue-full |
    | `drop-oldest` | goes in, and those that wait longest are dropped until it fits | goes on |
    | `drop-newest` | is dropped | goes on |
    | `latest-by-key` | as `wait`; but see below | as `wait` |

    Under `latest-by-key` a message takes the place of a waiting one with the same key, which is dropped: it is handled
    when that one would have been, so that a key that changes all the time still gets its turn. The order of one
    sender's messages is then kept for each key, not between keys. A message without a key is one like under `wait`.

    A message that is dropped is a dead letter (`dropped-oldest`, `dropped-newest`, `superseded`), and whoever asked for
    it gets `MailboxFull`; the callback of a guest's request says resource-limit-exceeded. Callbacks and the runtime's
    own messages are never refused or dropped.

    Args:
        rule: one of the above.
        key: of `latest-by-key`, where a payload has its key: `"json:user.id"` or `"bytes:0:8"` as in a pipeline. A
            payload whose key is in its JSON has 64 KiB at the most, others are refused as too large: JSON is read on
            the event loop. For larger ones there is a range of bytes.

    Raises:
        ConfigError: The rule is none of these, or the key is missing, no key, or not asked for.
    """

    rule: MailboxRule = attrs.field(default=MailboxRule.WAIT, converter=_rule)
    key: Key | None = attrs.field(default=None, converter=_key)

    def __attrs_post_init__(self) -> None:
        if (self.key is not None) is not (self.rule is MailboxRule.LATEST_BY_KEY):
            problem = "belongs to latest-by-key" if self.key is not None else "is missing for latest-by-key"
            raise ConfigError("key", self.key, problem)

    def most_payload_bytes(self, most: int) -> int:
        """How large a payload may be, where it could be that large without a policy."""
        return most if self.key is None else self.key.most_payload_bytes(most)

    @property
    def waits(self) -> bool:
        """Whether senders wait for room."""
        return self.rule is MailboxRule.WAIT or self.rule is MailboxRule.LATEST_BY_KEY


def mailbox_policy(value: MailboxPolicy | str) -> MailboxPolicy:
    """Take what callers pass: a policy, or the name of a rule. Raises ConfigError."""
    if isinstance(value, MailboxPolicy):
        return value
    rule = _rule(value)
    return _PLAIN.get(rule) or MailboxPolicy(rule)


_PLAIN: Final[dict[MailboxRule, MailboxPolicy]] = {
    rule: MailboxPolicy(rule) for rule in MailboxRule if rule is not MailboxRule.LATEST_BY_KEY
}
