"""A tree of supervisors as simple as it can be: everything happens at once, and nothing is shared with the real one."""

from collections.abc import Iterator, Sequence

import attrs

from airssys_wasm.actor.child import ChildSpec
from airssys_wasm.actor.tree_spec import SupervisorSpec


@attrs.define(eq=False, repr=False)
class Part:
    """A component or a supervisor."""

    name: str
    restart: str
    above: "Part | None"
    spec: SupervisorSpec[ChildSpec] | None = None
    parts: "list[Part]" = attrs.field(factory=list)
    up: bool = False
    failed: bool = False
    gone: bool = False
    asleep: bool = False
    wanted: bool = False
    """Whether one that sleeps is to be woken in its turn."""
    restarts: list[float] = attrs.field(factory=list)

    def leaves(self) -> "Iterator[Part]":
        """The components."""
        if self.spec is None:
            yield self
        for part in self.parts:
            yield from part.leaves()


@attrs.define(eq=False)
class Model:
    """What ought to happen: `log` as the real tree's guests write it."""

    root: Part
    now: float
    broken: set[str] = attrs.field(factory=set)
    log: list[str] = attrs.field(factory=list)
    later: list[tuple[float, Part, list[Part]]] = attrs.field(factory=list)

    def start(self, part: Part) -> bool:
        """Start it, or all of it; whether that worked."""
        part.failed, part.restarts = False, []
        if part.asleep and not part.wanted:
            return True
        part.asleep = part.wanted = False
        if part.spec is None:
            self.log.append(f"+{part.name}")
            part.up = part.name not in self.broken
            if not part.up:
                self.log.append(f"-{part.name}")
            return part.up
        for each in list(part.parts):
            if not self.start(each):
                self.down(part)
                return False
        part.up = True
        return True

    def down(self, part: Part) -> None:
        """Stop it, or all of it in reverse."""
        self.forget_plans(part, part.parts)
        for each in reversed(part.parts):
            self.down(each)
        if part.up and part.spec is None:
            self.log.append(f"-{part.name}")
        part.up = False

    def forget_plans(self, above: Part, parts: Sequence[Part]) -> None:
        """Start these no more later."""
        plans = [
            (when, group, [p for p in ps if group is not above or p not in parts]) for when, group, ps in self.later
        ]
        self.later = [plan for plan in plans if plan[2]]

    def remove(self, part: Part) -> None:
        """It is over for good."""
        self.down(part)
        assert part.above is not None
        self.forget_plans(part.above, [part])
        part.above.parts.remove(part)
        for leaf in part.leaves():
            leaf.gone, leaf.failed, leaf.asleep = True, False, False

    def ended(self, part: Part, how: str) -> None:
        """What follows: how is crashed, interrupted or gave up."""
        group = part.above
        if group is None:
            self.fail(part)
        elif any(plan[1] is group and part in plan[2] for plan in self.later):
            return
        elif how == "interrupted":
            self.begin(group, [part])
        elif (how, part.restart) == ("gave up", "transient"):
            self.fail(part)
        elif part.restart == "temporary":
            self.remove(part)
        else:
            self.count(group, part)

    def count(self, group: Part, part: Part) -> None:
        """One restart more for a group, or one too many."""
        assert group.spec is not None
        spec = group.spec
        recent = [time for time in group.restarts if self.now <= time + spec.window]
        if len(recent) == spec.intensity:
            self.down(group)
            self.ended(group, "gave up")
            return
        group.restarts = [*recent, self.now]
        place = group.parts.index(part)
        scope = {"one_for_one": group.parts[place : place + 1], "rest_for_one": group.parts[place:]}
        concerned = list(scope.get(str(spec.strategy), group.parts))
        self.forget_plans(group, concerned)
        for each in reversed(concerned):
            if each.restart == "temporary":
                self.remove(each)
            else:
                self.down(each)
        delay = min(spec.backoff_initial * 2.0 ** len(recent), spec.backoff_max)
        self.later.append((self.now + delay, group, [each for each in concerned if each.restart != "temporary"]))

    def begin(self, group: Part, parts: Sequence[Part]) -> None:
        """Start these in order; what does not start ends the attempt."""
        for part in parts:
            if not self.start(part):
                self.ended(part, "crashed")
                return

    def fail(self, part: Part) -> None:
        """It stays down."""
        part.failed, part.asleep, part.wanted = True, False, False
        for each in part.parts:
            self.fail(each)

    def crash(self, leaf: Part) -> None:
        """A guest traps."""
        self.down(leaf)
        self.ended(leaf, "crashed")

    def sleep(self, leaf: Part) -> None:
        """Nobody needs it."""
        self.down(leaf)
        leaf.asleep = True

    def wake(self, leaf: Part) -> None:
        """A message comes."""
        assert leaf.above is not None
        leaf.wanted = leaf.asleep
        if leaf.asleep and leaf.above.up and not self.is_planned(leaf):
            self.begin(leaf.above, [leaf])

    def is_planned(self, part: Part) -> bool:
        """Whether it is to be started in its turn."""
        return any(plan[1] is part.above and part in plan[2] for plan in self.later)

    def restart(self, leaf: Part) -> None:
        """Somebody asks for a new instance."""
        failed, above = None, leaf.above
        while above is not None:
            failed, above = (above if above.failed else failed), above.above
        if failed is not None and not self.hurry(failed):
            if not self.start(failed):
                self.ended(failed, "crashed")
        elif failed is None and leaf.up:
            self.down(leaf)
            self.ended(leaf, "interrupted")
        elif failed is None and leaf.asleep:
            self.restart_sleeper(leaf)
        elif failed is None:
            self.hurry(leaf)

    def restart_sleeper(self, leaf: Part) -> None:
        """Start it, now or at once in its turn; who asked does not wait for later."""
        has_mail = leaf.wanted
        self.wake(leaf)
        if leaf.asleep:
            self.hurry(leaf)
        leaf.wanted = leaf.asleep and has_mail

    def hurry(self, part: Part) -> bool:
        """Wait for no back-off; whether there was one."""
        if part.above is None:
            return False
        if not part.above.up:
            return self.hurry(part.above)
        plans = [plan for plan in self.later if plan[1] is part.above and part in plan[2]]
        for plan in plans:
            self.later.remove(plan)
            self.begin(plan[1], plan[2])
        return bool(plans)

    def advance(self, seconds: float) -> None:
        """Time passes."""
        end = self.now + seconds
        while due := [plan for plan in self.later if plan[0] <= end]:
            plan = min(due, key=lambda each: each[0])
            self.later.remove(plan)
            self.now = max(self.now, plan[0])
            self.begin(plan[1], plan[2])
        self.now = end


def model_of(spec: SupervisorSpec[ChildSpec], above: Part | None = None) -> Part:
    """The parts of a tree, none of which has started."""
    part = Part(spec.name, str(spec.restart), above, spec)
    for child in spec.children:
        if isinstance(child, SupervisorSpec):
            part.parts.append(model_of(child, part))
        else:
            part.parts.append(Part(child.id.name, str(child.policy.restart), part))
    return part
