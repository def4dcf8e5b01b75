"""What host code sends in a chaos, and host code that gets messages itself."""

import asyncio
import random
from functools import partial
from typing import Final, final

import attrs

from airssys_wasm import ActorHandle, AirssysError, ComponentMessage, GuestError
from tests.journeys.chaos import NOBODY, RELAY, Chaos
from tests.journeys.chaos_guests import read

VERBS: Final = {
    "echo": 26,
    "none": 4,
    "err": 4,
    "slow": 6,
    "stuck": 8,
    "trap": 5,
    "bug": 1,
    "large": 1,
    "send": 12,
    "request": 10,
    "cancel": 4,
    "broadcast": 4,
}


@final
@attrs.frozen(eq=False, repr=False)
class Messages:
    """The steps that send something; each begins its operation and waits for none."""

    chaos: Chaos

    def ask(self, dice: random.Random) -> None:
        """Ask something."""
        handle = self.chaos.some(dice)
        timeout = dice.choice([None, 20.0, 5.0, 1.0, 0.5, 0.0])
        self.chaos.begin(
            f"ask {handle.id}", partial(self.asked, handle, *self.verb(dice), timeout, interrupt=dice.random() < 0.3)
        )

    def burst(self, dice: random.Random) -> None:
        """Ask several times at once."""
        handle = self.chaos.some(dice)
        for _ in range(dice.randrange(2, 8)):
            self.chaos.begin(f"ask {handle.id}", partial(self.asked, handle, *self.verb(dice), 5.0, interrupt=False))

    async def asked(
        self, handle: ActorHandle, verb: str, argument: str, timeout: float | None, *, interrupt: bool
    ) -> None:
        """Ask, and write down how it ended."""
        account = self.chaos.account
        number, payload = self.chaos.new(verb, argument, handle.id, "host")
        ends = account.ends.setdefault((number, handle.id), [])
        try:
            await handle.ask(payload, timeout=timeout, interrupt=interrupt)
        except (AirssysError, asyncio.CancelledError) as exc:
            ends.append(exc)
            raise
        ends.append(None)

    def tell(self, dice: random.Random) -> None:
        """Tell, and wait for room."""
        handle, (verb, argument), timeout = self.chaos.some(dice), self.verb(dice), dice.choice([None, None, 1.0, 0.0])

        async def told() -> None:
            await handle.tell(self.chaos.new(verb, argument, handle.id, "host")[1], timeout=timeout)

        self.chaos.begin(f"tell {handle.id}", told)

    def tell_now(self, dice: random.Random) -> None:
        """Tell, if there is room."""
        handle, (verb, argument), timeout = self.chaos.some(dice), self.verb(dice), dice.choice([None, 1.0])

        async def told() -> None:
            handle.tell_nowait(self.chaos.new(verb, argument, handle.id, "host")[1], timeout=timeout)

        self.chaos.begin(f"tell {handle.id}", told)

    def send(self, dice: random.Random) -> None:
        """Send by address, sometimes in the name of a component."""
        target, (verb, argument), sender = (
            self.chaos.anybody(dice),
            self.verb(dice),
            dice.choice([None, *self.chaos.loners]),
        )

        async def sent() -> None:
            await self.chaos.system.send(sender, target, self.chaos.new(verb, argument, target, "host")[1])

        self.chaos.begin(f"send {target}", sent)

    def request(self, dice: random.Random) -> None:
        """Request in the name of a component."""
        target, (verb, argument) = self.chaos.anybody(dice), self.verb(dice)
        requester, timeout = dice.choice([RELAY, *self.chaos.loners]), dice.choice([0.0, 0.5, 5.0, 60.0])

        async def requested() -> None:
            number, payload = self.chaos.new(verb, argument, target, None)  # a requester that sleeps is woken first
            try:
                request = await self.chaos.system.request(requester, target, payload, timeout=timeout)
                self.chaos.account.owed.add(request)
            except asyncio.CancelledError:
                self.chaos.account.perhaps.add((number, target))
                raise

        self.chaos.begin(f"request {target}", requested)

    def publish(self, _dice: random.Random) -> None:
        """Publish to whoever has subscribed."""

        async def published() -> None:
            chaos = self.chaos
            targets = list(chaos.system._parts().subscriptions.subscribers("news"))
            number, payload = chaos.new("echo", "-", NOBODY, None)  # to one after the other
            del chaos.account.sent[number, NOBODY]
            chaos.account.sent.update((number, target) for target in targets)
            try:
                await chaos.system.publish("news", payload)
            except asyncio.CancelledError:
                chaos.account.perhaps.update((number, target) for target in targets)
                raise

        self.chaos.begin("publish", published)

    def call(self, dice: random.Random) -> None:
        """Call a function that no script has."""
        handle, timeout = self.chaos.some(dice), dice.choice([None, 1.0])
        self.chaos.begin(f"call {handle.id}", partial(handle.call, "demo:chaos/none", "nothing", timeout=timeout))

    def verb(self, dice: random.Random) -> tuple[str, str]:
        """What a message says, with its argument."""
        verb = dice.choices([*VERBS], [*VERBS.values()])[0]
        argument = str(self.chaos.anybody(dice)) if verb in {"send", "request", "cancel", "broadcast"} else "-"
        return verb, argument if dice.random() < 0.98 else "x" * 60

    async def relay(self, message: ComponentMessage) -> bytes | None:
        """Host code that asks on in the middle of a message."""
        verb, _, number = read(message)
        dice = random.Random(number)
        if verb in {"send", "request", "stuck"}:
            await self._asked_on(self.chaos.some(dice))
        self.chaos.account.handled[number, RELAY] += 1
        if verb == "err":
            raise GuestError("timeout", "")
        return b"ok"

    async def _asked_on(self, handle: ActorHandle) -> None:
        try:
            await self.asked(handle, "echo", "-", 0.5, interrupt=False)
        except AirssysError:
            """It has been written down."""

    async def heard(self, message: ComponentMessage) -> None:
        """The answer to a request."""
        self.chaos.account.callbacks[message.metadata.correlation_id or ""] += 1
