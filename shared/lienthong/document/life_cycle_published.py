"""The life cycle as others read it: a diagram, tables, and a JSON document with test vectors; generated, never written.

Whoever writes an agency's system in another language takes ``deploy/life-cycle.json``: its ``vectors`` say for every
event in every state what the exchange answers.
"""

from __future__ import annotations

import itertools
import json
from typing import Any

from lienthong.document.deadlines import holder
from lienthong.document.life_cycle import (
    ACTORS,
    STATUS_CODES,
    TABLE,
    Actor,
    Event,
    Pending,
    Role,
    State,
    StepOutcome,
    states_of,
    step,
)
from lienthong.document.life_cycle_words import EVENT_WORDS, STATE_WORDS

__all__ = ["as_json", "event_rows", "mermaid", "published", "state_rows"]


def published() -> dict[str, Any]:
    """Return everything about the life cycle, ready to be written as JSON."""
    return {
        "schema_version": 1,
        "roles": {role.value: [state.value for state in states_of(role)] for role in Role},
        "pending": [pending.value for pending in Pending],
        "states": [
            {
                "state": state.value,
                "vi": words.vi,
                "en": words.en,
                "means_to_sender_vi": words.means_vi,
                "means_to_sender_en": words.means_en,
                "acts_next": holder(state),
                "final": all(row.state is not state for row in TABLE),
            }
            for state in State
            for words in (STATE_WORDS[state],)
        ],
        "events": [
            {
                "event": event.value,
                "by": ACTORS[event].value,
                "vi": EVENT_WORDS[event][0],
                "en": EVENT_WORDS[event][1],
                "office": (STATUS_CODES[event].office or "") if event in STATUS_CODES else "",
            }
            for event in Event
        ],
        "transitions": [
            {
                "role": row.role.value,
                "state": row.state.value,
                "pending": row.pending.value,
                "event": row.event.value,
                "to_state": row.to_state.value,
                "to_pending": row.to_pending.value,
                "skipped": list(row.skipped),
            }
            for row in TABLE
        ],
        "vectors": _vectors(),
    }


def as_json() -> str:
    """Return `published` as text: one line for each item, so that a change can be read."""
    parts = []
    for name, value in published().items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            lines = ",\n".join(f"    {json.dumps(item, ensure_ascii=False)}" for item in value)
            parts.append(f'  "{name}": [\n{lines}\n  ]')
        else:
            parts.append(f'  "{name}": {json.dumps(value, ensure_ascii=False)}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _vectors() -> list[dict[str, Any]]:
    """Return what the exchange answers to every event of sender or receiver; `late` is one that was overtaken."""
    reachable = sorted({(row.role, row.to_state, row.to_pending) for row in TABLE})
    events = [event for event in Event if ACTORS[event] is not Actor.EXCHANGE]
    found = []
    for (role, state, pending), event, late in itertools.product(reachable, events, (False, True)):
        done = step(state, event, pending=pending, role=role, overtaken=late)
        if late and done == step(state, event, pending=pending, role=role):
            continue
        vector: dict[str, Any] = {
            "role": role.value,
            "state": state.value,
            "pending": pending.value,
            "event": event.value,
            "late": late,
            "outcome": done.outcome.value,
        }
        if done.outcome is StepOutcome.APPLIED:
            vector |= {
                "to_state": done.state.value,
                "to_pending": done.pending.value,
                "skipped": list(done.skipped),
            }
        found.append(vector)
    return found


def mermaid() -> str:
    """Return the diagram of a document's states; what only asks and changes no state is left to the words."""
    lines = ["stateDiagram-v2", f"    [*] --> {State.RECEIVED}"]
    seen: dict[tuple[State, State], list[str]] = {}
    for row in TABLE:
        if row.role is Role.DOCUMENT and row.state is not row.to_state:
            events = seen.setdefault((row.state, row.to_state), [])
            if row.event.value not in events:
                events.append(row.event.value)
    lines += [f"    {state} --> {to}: {', '.join(events)}" for (state, to), events in seen.items()]
    return "\n".join(lines)


def state_rows() -> list[list[str]]:
    """Return the table of states: name, Vietnamese, what it means to the sender in both languages, who acts next."""
    return [
        [f"`{state}`", words.vi, words.means_vi, words.means_en, holder(State(state)).value]
        for state, words in STATE_WORDS.items()
    ]


def event_rows() -> list[list[str]]:
    """Return the table of what sender and exchange cause beside status codes: name, who, both languages."""
    events = [event for event in Event if event not in STATUS_CODES]
    return [[f"`{event}`", ACTORS[event].value, *EVENT_WORDS[event]] for event in events]
