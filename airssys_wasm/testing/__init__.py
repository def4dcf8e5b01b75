"""The test kit: for tests of what uses this package, and for its own. Nothing of the package imports it.

| in | for |
|---|---|
| `wat.py` | `contract_component`: a tiny guest of real WebAssembly, written in the test |
| `guests.py`, `obedience.py` | `ScriptedHost`, `Script`, `OBEDIENT`: guests without WebAssembly, that do as told |
| `clock.py` | `ManualClock`, `settle`: time that a test moves by hand |
| `systems.py` | `scripted_system`: a system of both |
| `recorder.py` | `Recorder`: the events and dead letters of a system |
| `observer.py` | `RecordingObserver`: the same for a `Supervisor` without a system |
| `leaks.py` | `assert_no_leaks`: a block that leaves nothing behind |

pytest finds the fixtures and the leak check for every test in `pytest_airssys_wasm.py`, beside this package.
"""

from airssys_wasm.testing.clock import ManualClock as ManualClock
from airssys_wasm.testing.clock import settle as settle
from airssys_wasm.testing.guests import OBEDIENT as OBEDIENT
from airssys_wasm.testing.guests import Script as Script
from airssys_wasm.testing.guests import ScriptedGuest as ScriptedGuest
from airssys_wasm.testing.guests import ScriptedHost as ScriptedHost
from airssys_wasm.testing.leaks import assert_no_leaks as assert_no_leaks
from airssys_wasm.testing.observer import RecordingObserver as RecordingObserver
from airssys_wasm.testing.recorder import Recorder as Recorder
from airssys_wasm.testing.systems import scripted_system as scripted_system
from airssys_wasm.testing.wat import DATA_AT as DATA_AT
from airssys_wasm.testing.wat import contract_component as contract_component

__all__ = [
    "DATA_AT",
    "OBEDIENT",
    "ManualClock",
    "Recorder",
    "RecordingObserver",
    "Script",
    "ScriptedGuest",
    "ScriptedHost",
    "assert_no_leaks",
    "contract_component",
    "scripted_system",
    "settle",
]
