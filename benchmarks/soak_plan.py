"""What a soak does, as data: the same seed gives every worker the same steps, whatever becomes of them.

Numbers name messages: a host's message carries its number as content type (`n/17`), one that a guest makes at the end
of its payload (`#17`). A message to several targets has one number for all, so number and target name it.
"""

import random
from collections.abc import Iterator
from enum import StrEnum
from typing import final

import attrs

NEIGHBOURS = 8
"""How many others a component writes to: the lanes that are watched for order stay few."""

TOPICS = 8


class Action(StrEnum):
    """What a worker does next."""

    ASK = "ask"
    TELL = "tell"
    TELL_NOWAIT = "tell-nowait"
    SEND = "send"
    SEND_AS = "send-as"
    REQUEST = "request"
    PUBLISH = "publish"
    BURST = "burst"
    RESTART = "restart"
    RELOAD = "reload"
    REVOKE = "revoke"
    UPGRADE = "upgrade"
    CALL = "call"
    LINK = "link"
    STAND = "stand"


_ACTIONS = {
    Action.ASK: 480,
    Action.TELL: 160,
    Action.TELL_NOWAIT: 80,
    Action.SEND: 60,
    Action.SEND_AS: 40,
    Action.REQUEST: 60,
    Action.PUBLISH: 10,
    Action.BURST: 15,
    Action.RESTART: 3,
    Action.RELOAD: 3,
    Action.REVOKE: 1,
    Action.UPGRADE: 4,
    Action.CALL: 90,
    Action.LINK: 5,
    Action.STAND: 3,
}

_HARMLESS = ("echo", "none", "empty", "err timeout busy", "count", "spin 2000", "storage-list", "storage-usage", "list")
_COSTLY = ("huge 4000", "fill 1", "log-flood 20", "sleep 3", "spin 500000", "echo " + "x" * 3000, "late-cancel 3 20")
_CRASHING = (
    "trap",
    "divzero",
    "oob",
    "stack-overflow",
    "shadow-overflow",
    "memory-bomb",
    "huge 9000",
    "invalid-answer pointer",
    "invalid-answer utf8",
    "invalid-answer option",
)
_HANGING = ("loop", "sleep-loop 5", "sleep 5000", "sleep 5000", "memory-bomb report")
_INNER = ("echo", "none", "err timeout inner")
"""What one guest has another do: the answer to it never begins with a letter, which tells a callback from a request."""

_CALLS = {
    "greet quick": 300,
    "greet misfit": 15,
    "great quick": 10,
    "look-up quick": 200,
    "look-up missing": 80,
    "look-up bug": 4,
    "look-up own": 4,
    "look-up late": 4,
    "wait quick": 100,
    "wait bug": 3,
    "wait late": 3,
    "remember quick": 50,
    "remember bug": 3,
    "find quick": 40,
    "find missing": 10,
    "find late": 2,
    "spin quick": 2,
    "crash quick": 3,
}
"""A function of the plugin, and what the host function behind it does."""

_NESTED = {"send": 40, "request": 30, "request-cancel": 5, "broadcast": 15, "relay": 9, "fault": 1}


@attrs.frozen
class Step:
    """One step of one worker; `number` is of its first message, `count` how many of its own it sends.

    `timeout` of an upgrade is its probation, of a stand how long it lasts.
    """

    action: Action
    number: int
    target: int
    payload: bytes = b""
    count: int = 1
    timeout: float | None = 5.0
    cancel_after: float | None = None
    interrupt: bool = False
    flag: bool = False
    """Of a reload: whether it drains. Of a burst: whether it asks. Of a link: whether it is taken back."""

    @property
    def echo(self) -> bytes | None:
        """What the answer has to be, None where nothing is expected."""
        word, _, rest = self.payload.partition(b" ")
        return rest if word == b"echo" else None


@final
@attrs.frozen
class Plan:
    """A seed and the sizes that go with it; `messages` counts what host code sends itself, before it multiplies."""

    seed: int
    messages: int
    actors: int
    workers: int

    @property
    def plugins(self) -> int:
        """Components with functions of their own, beside the actors; their indices come after those."""
        return max(2, self.actors // 10)

    def steps(self, worker: int) -> Iterator[Step]:
        """The steps of one worker, until its share of the messages is sent."""
        dice = random.Random(f"{self.seed}/{worker}")
        left, number = self.messages // self.workers, worker + 1
        while left > 0:
            step = self._step(dice, number)
            left -= step.count
            number += self.workers * (step.count + 1)  # one more, for what the guest makes of it
            yield step

    def inner(self, step: Step) -> int:
        """The number of what a step's guest sends on."""
        return step.number + self.workers * step.count

    def target_of(self, index: int) -> str:
        """An address as the hostile guest reads it; beyond the actors come the host's sink and nobody."""
        if index < self.actors:
            return f"soak|a{index}|0"
        return "host|soak|sink" if index == self.actors else "soak|nobody|0"

    def _step(self, dice: random.Random, number: int) -> Step:
        action = dice.choices(list(_ACTIONS), list(_ACTIONS.values()))[0]
        target = dice.randrange(self.actors)
        step = Step(action, number, target, self._payload(dice, number, target, 1))
        match action:
            case Action.ASK | Action.CALL:
                return _asked(dice, step if action is Action.ASK else self._called(dice, step))
            case Action.TELL | Action.SEND | Action.SEND_AS | Action.REQUEST:
                return attrs.evolve(step, cancel_after=dice.choices([None, dice.random() / 100], [95, 5])[0])
            case Action.BURST:
                payload = f"echo burst {'x' * dice.choice([0, 400])}".encode()
                return attrs.evolve(step, payload=payload, count=dice.randrange(2, 60), flag=dice.random() < 0.5)
            case Action.PUBLISH:
                return attrs.evolve(step, target=dice.randrange(TOPICS), payload=b"echo published")
            case Action.TELL_NOWAIT:
                return step
            case _:
                return self._of_life(dice, step)

    def _called(self, dice: random.Random, step: Step) -> Step:
        payload = dice.choices([*_CALLS], [*_CALLS.values()])[0].encode()
        return attrs.evolve(step, target=self.actors + dice.randrange(self.plugins), payload=payload)

    def _of_life(self, dice: random.Random, step: Step) -> Step:
        """One that sends nothing."""
        timeout, flag = dice.choice([0.0, 0.05, 0.5]), dice.random() < 0.5
        step = attrs.evolve(step, count=0, flag=flag, timeout=timeout)
        if step.action in {Action.RESTART, Action.RELOAD, Action.UPGRADE}:
            step = attrs.evolve(step, target=dice.randrange(self.actors + self.plugins))
        late = step.action is Action.UPGRADE and dice.random() < 0.3
        return attrs.evolve(step, cancel_after=dice.random() / 100) if late else step

    def _payload(self, dice: random.Random, number: int, target: int, count: int) -> bytes:
        """A command for the hostile guest."""
        inner = number + self.workers * count
        match dice.choices(["harmless", "costly", "storage", "nested", "crash", "hang"], [700, 20, 60, 200, 3, 1])[0]:
            case "harmless":
                text = dice.choice(_HARMLESS)
                return f"{text} {number}".encode() if text == "echo" else text.encode()
            case "costly":
                text = dice.choice(_COSTLY)
                return f"{text} {self._near(dice, target)} echo #{inner}".encode() if "late" in text else text.encode()
            case "storage":
                verb = dice.choice(["set", "get", "delete", "exists"])
                return f"storage-{verb} k{dice.randrange(20)}{' v' * (verb == 'set')}".encode()
            case "nested":
                return self._nested(dice, inner, target).encode()
            case "crash":
                return dice.choice(_CRASHING).encode()
            case _:
                return dice.choice(_HANGING).encode()

    def _nested(self, dice: random.Random, inner: int, target: int) -> str:
        """A command that makes the guest send on, sometimes twice over, sometimes into a failing host function."""
        near = self._near(dice, target)
        what = f"{dice.choice(_INNER)} #{inner}"
        match dice.choices([*_NESTED], [*_NESTED.values()])[0]:
            case "request":
                return f"request {dice.choice([0, 5, 50, 2000])} {near} {what}"
            case "request-cancel":
                return f"request-cancel 2000 {near} {what}"
            case "broadcast":
                several = dice.sample(range(1, NEIGHBOURS + 1), dice.randrange(1, 6))
                ids = [self.target_of((target + step) % self.actors) for step in several]
                return f"broadcast {','.join([*ids, self.target_of(self.actors + dice.randrange(2))])} {what}"
            case "relay":
                return f"send {self.target_of((target + 1) % self.actors)} send {self.target_of(self.actors)} {what}"
            case "fault":
                return f"send {near} fault #{inner}"
            case _:
                far = self.target_of(self.actors + dice.randrange(2))
                return f"send {dice.choices([near, far], [9, 1])[0]} {what}"

    def _near(self, dice: random.Random, target: int) -> str:
        return self.target_of((target + dice.randrange(1, NEIGHBOURS + 1)) % self.actors)


def _asked(dice: random.Random, step: Step) -> Step:
    """With what an ask and a call have in common."""
    return attrs.evolve(
        step,
        timeout=dice.choices([5.0, 1.0, 0.05, 0.005, 0.0, None], [50, 20, 15, 10, 3, 2])[0],
        cancel_after=dice.choices([None, 0.0, dice.random() / 100], [94, 2, 4])[0],
        interrupt=dice.random() < 0.3,
    )
