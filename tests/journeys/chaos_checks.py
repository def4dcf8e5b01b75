"""Runs a chaos, and says what has not ended as it has to."""

import asyncio
from collections import Counter
from typing import Final

from airssys_wasm import ActorState, DeadLetterReason, EventKind
from airssys_wasm.actor.child import Child
from airssys_wasm.actor.passivation import AsleepMailbox
from airssys_wasm.actor.tree_course import Phase
from tests.journeys.chaos import RELAY, Chaos
from tests.journeys.chaos_account import fits

DROPPED: Final = {DeadLetterReason.DROPPED_OLDEST, DeadLetterReason.DROPPED_NEWEST, DeadLetterReason.SUPERSEDED}


def odd(child: Child) -> list[str]:
    """What cannot be once all that was under way has had its time."""
    actor, state, found = child.actor, child.state, list[str]()
    ended = [one for one in child.living if one._reason is not None]
    if ended:
        found.append("an actor that has ended")
    if state in {ActorState.STOPPING, ActorState.STARTING}:
        found.append("half-way")
    if actor is None and state is ActorState.RUNNING:
        found.append("without an actor")
    if actor is not None and state in {ActorState.ASLEEP, ActorState.FAILED}:
        found.append("with an actor")
    if state is ActorState.ASLEEP and not isinstance(child.mailbox, AsleepMailbox):
        found.append("asleep with a mailbox")
    if state is ActorState.RESTARTING and child.timer is None and child.leaf is None and actor is None:
        found.append("nobody starts it")
    leaf = child.leaf
    if state is ActorState.RESTARTING and actor is None and leaf is not None and leaf.branch.phase is Phase.RUNNING:
        found += [] if any(course.awaits(leaf) for course in leaf.branch._courses) else ["no course starts it"]
    if child.upgrade is not None:
        found.append("an upgrade")
    predecessor = None if child.probation is None else child.probation.predecessor
    if set(child.beside) - {predecessor}:
        found.append("something beside")
    return [f"{child.id} is {state}: {what}" for what in found]


def check_the_end(chaos: Chaos) -> None:
    """Nothing is left, and everything sent is accounted for."""
    chaos.look()
    found, account = chaos.violations, chaos.account
    if chaos.host.live:
        found.append(f"live guests: {[guest.state.component_id for guest in chaos.host.live]}")
    if chaos.clock.pending:
        found.append(f"timers: {chaos.clock.pending}")
    found += [f"{child.id} is {child.state}" for child in chaos.children if not child.gone or child.beside]
    found += [f"left: {task}" for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for key, letters in account.died.items():
        if key[1] == RELAY and letters[0].reason is DeadLetterReason.ACTOR_STOPPED:
            account.handled.pop(key, None)  # it had returned in the turn in which it was killed
    died = Counter({key: len(letters) for key, letters in account.died.items()})
    for key in {*account.sent, *account.handled, *died}:
        sent, ended = account.sent[key], account.handled[key] + died[key]
        if sent != ended and not (key in account.perhaps and ended < sent):
            found.append(f"{key} was sent {sent} times and ended {ended} times: {account.died.get(key)}")
    for key, ends in account.ends.items():
        if len(ends) != 1 or not fits(ends[0], account.died.get(key, [])):
            found.append(f"the ask {key} ended as {ends}, its message as {account.died.get(key)}")
    found += [f"{count} callbacks for {request}" for request, count in account.callbacks.items() if count != 1]
    never = account.owed - account.lost - account.callbacks.keys()
    dropped = chaos.system.statistics().dropped_requests
    found += [f"{len(never)} callbacks never came, {dropped} went with their instance"] if len(never) > dropped else []
    _check_counters(chaos)


def _check_counters(chaos: Chaos) -> None:
    """The statistics, the events and the account say the same."""
    account, statistics = chaos.account, chaos.system.statistics()
    children = [child.statistics() for child in chaos.children]
    kinds = Counter(event.kind for event in chaos.events)
    letters = account.others + Counter(letter.reason for letters in account.died.values() for letter in letters)
    pairs = {
        "dead letters": (letters.total(), sum(statistics.dead_letters.values())),
        "handled": (
            account.handled.total() + account.callbacks.total() + account.shutdown_errors,
            sum(child.handled + child.guest_errors for child in children),
        ),
        "dropped": (sum(letters[reason] for reason in DROPPED), sum(child.dropped for child in children)),
        "upgrades": (kinds[EventKind.UPGRADED], sum(child.upgrades for child in children)),
        "rollbacks": (kinds[EventKind.ROLLED_BACK], sum(child.rollbacks for child in children)),
        "passivations": (kinds[EventKind.PASSIVATED], sum(child.passivations for child in children)),
    }
    chaos.violations += [f"{what}: {one} and {other}" for what, (one, other) in pairs.items() if one != other]
