"""What keeps a component from ending: its state and that of all its actors, in one line each."""

from collections.abc import Iterator

from airssys_wasm import ActorState, ActorSystem
from airssys_wasm.actor.actor import ComponentActor
from airssys_wasm.actor.child import Child
from airssys_wasm.actor.tree import Branch
from airssys_wasm.actor.tree_node import Node
from airssys_wasm.actor.tree_root import Tree

AT_REST = frozenset({ActorState.RUNNING, ActorState.ASLEEP})


def states(system: ActorSystem) -> Iterator[str]:
    """Of each component that is not at rest, has an actor that has ended, or is being upgraded; and of all trees."""
    children = system._parts().supervisor._children
    for child in children.all:
        has_ended = any(actor._reason is not None for actor in child.living)
        if child.state not in AT_REST or has_ended or child.upgrade is not None:
            yield state_of(child)
    for top in children.tops:
        if isinstance(top, Tree):
            yield from _branches(top.branch)


def state_of(child: Child) -> str:
    """A component with what it waits for, and who waits for it."""
    upgrade, probation, mailbox = child.upgrade, child.probation, child.mailbox.statistics()
    facts = {
        "actor": _actor(child.actor),
        "beside": [_actor(actor) for actor in child.beside],
        "upgrade": upgrade and f"placed={upgrade.placed} done={upgrade.done} owned={upgrade.owned.is_set()}",
        "probation": probation and f"predecessor={_actor(probation.predecessor)} timer={_timer(probation.timer)}",
        "timer": _timer(child.timer),
        "held": child.held,
        "reason": child.reason,
        "drain": child.drain,
        "waiters": f"{len(child.starting)} for its start, {len(child.ending)} for its end",
        "mailbox": f"{type(child.mailbox).__name__} {mailbox.waiting} in, {mailbox.senders_waiting} outside",
    }
    return f"{child.id} is {child.state}: " + ", ".join(f"{name}: {fact}" for name, fact in facts.items() if fact)


def _actor(actor: ComponentActor | None) -> str:
    if actor is None:
        return ""
    aside = actor.aside
    where = "" if aside is None else f" aside(here={aside._here.is_set()} over={aside._over} killed={aside.is_killed})"
    busy = " busy" if actor._work is not None and actor._work._current is not None else ""
    cancelled = " cancelled" if actor._scope.cancel_called else ""
    ended = f" ended({actor._reason})" if actor._reason is not None else ""
    return f"<ready={actor.ready} order={actor._order}{busy}{cancelled}{where}{ended}>"


def _timer(timer: object) -> str:
    return "" if timer is None else str(getattr(timer, "when", timer))


def _name(node: Node | None) -> str:
    return "none" if node is None else node.name


def _branches(branch: Branch) -> Iterator[str]:
    courses = [f"stopping {_name(course.stopping)}, starting {_name(course.starting)}" for course in branch._courses]
    yield f"supervisor {branch.path} is {branch.phase}, failed={branch.failed}: {'; '.join(courses)}"
    for member in branch.members:
        if isinstance(member, Branch):
            yield from _branches(member)
