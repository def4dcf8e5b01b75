"""`airssys-wasm check FILE.toml`: find what is wrong without running it, and show who may do what."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import anyio
import attrs
import typer

from airssys_wasm.cli.outcome import Code, Debug, say, told
from airssys_wasm.core.errors import PipelineInvalid
from airssys_wasm.core.problems import Problem
from airssys_wasm.system.pipeline_access import Access, access, warnings
from airssys_wasm.system.pipeline_open import check_components, open_pipeline
from airssys_wasm.system.pipeline_plan import Plan
from airssys_wasm.system.pipeline_spec import ComponentSpec
from airssys_wasm.system.pipeline_supervisors import Supervised, outline


def check(
    file: Annotated[Path, typer.Argument(metavar="FILE.toml", help="The pipeline.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of text.")] = False,
    debug: Debug = False,
) -> None:
    """Check a pipeline, all of it, without running it, and show what its components may do and why.

    Exit code 2 when something is wrong. What has no effect, a grant to send to nobody, a topic without subscribers, is
    a warning and changes no exit code.
    """
    with told(debug=debug):
        try:
            plan = anyio.run(_checked, file)
        except PipelineInvalid as exc:
            if not as_json:
                raise
            _print_json(file, {"fine": False, "problems": _listed(exc.problems)})
            raise typer.Exit(Code.BAD_INPUT) from exc
    if as_json:
        _print_json(file, {"fine": True, "problems": [], **_facts(plan)})
    else:
        _show(file, plan)


async def _checked(file: Path) -> Plan:
    plan = await open_pipeline(file)
    await check_components(plan)
    return plan


def _show(file: Path, plan: Plan) -> None:
    for warning in warnings(plan.spec):
        say(f"warning: {warning}")
    ends = f"{_count(len(plan.spec.sources), 'source')}, {_count(len(plan.spec.sinks), 'sink')}"
    print(f"{file}: fine: {ends}, {_count(len(plan.components), 'component')}: {' -> '.join(plan.order)}")
    if plan.supervisors:
        print("Supervisors, each above its children in start order:")
        for line in outline(plan.supervisors):
            print(f"  {line}")
    print("By themselves, routes aside, components may do this:")
    for found in access(plan):
        print(found)


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'s' * (number != 1)}"


def _facts(plan: Plan) -> dict[str, object]:
    return {
        "warnings": _listed(warnings(plan.spec)),
        "order": plan.order,
        "routes": dict(plan.targets),
        "supervisors": [_supervisor(tree) for tree in plan.supervisors],
        "access": [_rights(found) for found in access(plan)],
    }


def _supervisor(tree: Supervised) -> dict[str, object]:
    settings = attrs.asdict(tree.settings, filter=lambda field, _: field.name not in {"children", "policy"})
    return {**settings, "children": [_child(child) for child in tree.children]}


def _child(child: Supervised | ComponentSpec) -> dict[str, object]:
    if isinstance(child, Supervised):
        return _supervisor(child)
    return {"component": child.id, "instances": child.instances, "restart": child.restart, "shutdown": child.shutdown}


def _rights(found: Access) -> dict[str, object]:
    return {
        "component": found.component,
        "instances": [str(instance) for instance in found.instances],
        "clauses": [
            {"effect": clause.effect, "action": clause.action, "resource": clause.resource, "because": clause.because}
            for clause in found.clauses
        ],
        "receives_from": found.explanation.receives_from,
    }


def _listed(problems: Sequence[Problem]) -> list[dict[str, str]]:
    return [attrs.asdict(problem) for problem in problems]


def _print_json(file: Path, facts: dict[str, object]) -> None:
    print(json.dumps({"file": str(file), **facts}, indent=2))
