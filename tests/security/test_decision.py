import json

from airssys_wasm.core.ids import ComponentId
from airssys_wasm.security.decision import AuditEntry, Decision, Dropped

WHO = ComponentId("org", "a", "0")
DENIED = Decision(granted=False, reason="no grant permits it", component=WHO, action="send", resource="org/b/0")


def test_an_entry_is_the_decision_and_its_time() -> None:
    """It stands for one decision unless it says otherwise."""
    expected = AuditEntry(WHO, "send", "org/b/0", granted=False, reason="no grant permits it", time=5.0, count=1)
    assert expected == AuditEntry.of(DENIED, 5.0)


def test_the_fields_of_a_line_are_fixed() -> None:
    """Programs read them; JSON takes them as they are."""
    assert {
        "time": "1970-01-01T00:00:05.000+00:00",
        "component": "org/a/0",
        "action": "send",
        "resource": "org/b/0",
        "granted": False,
        "reason": "no grant permits it",
        "count": 3,
    } == json.loads(json.dumps(AuditEntry.of(DENIED, 5.0, count=3).fields()))
    assert {"time": "1970-01-01T00:00:05.000+00:00", "dropped": 2} == Dropped(2, 5.0).fields()


def test_an_entry_reads_as_a_sentence() -> None:
    """Folded ones say how many they are."""
    assert 'denied: "org/a/0" send "org/b/0" (no grant permits it)' == str(AuditEntry.of(DENIED, 5.0))
    assert 'denied: "org/a/0" send "org/b/0" (no grant permits it, 3 more)' == str(AuditEntry.of(DENIED, 5.0, 3))
    assert "dropped 2" == str(Dropped(2, 5.0))


def test_an_id_cannot_forge_a_line() -> None:
    """Ids may have any printable and some invisible characters."""
    forger = ComponentId("org", 'a" granted\u2028', "\u202e0")
    text = str(AuditEntry(forger, "send", "x\n\x1b[2J", granted=False, reason="to org/\u202e", time=0.0))
    assert text.isprintable()
    assert 'denied: "org/a\\" granted\\u2028/\\u202E0" send "x\\u000A\\u001B[2J" (to org/\\u202E)' == text
