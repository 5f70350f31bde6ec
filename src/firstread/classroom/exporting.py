"""A class as tables, under pseudonyms unless names are asked for."""

import json
from pathlib import Path

import pandas as pd

from firstread.classroom.store import Store
from firstread.core.files import write_atomically


def class_tables(store: Store, *, names: bool = False) -> dict[str, pd.DataFrame]:
    """participants, events and help of a class.

    Args:
        names: True gives display names; by default everyone is "Participant 7".
    """
    people = store.people()
    shown = store.shown_names() if names else {person.id: person.pseudonym for person in people}
    participants = [
        {"participant": shown[p.id], "number": p.number, "joined": p.joined, "seen": p.seen}
        | {f"assigned {name}": group for name, group in p.arms.items()}
        for p in people
    ]
    events = [
        {
            "participant": shown[e.participant_id], "kind": e.kind, "step": e.step, "happened": e.happened,
            "received": e.received, "values": json.dumps(e.values, ensure_ascii=False),
        }
        for e in store.events()
    ]  # fmt: skip
    asked = [
        {
            "participant": shown[h.participant_id],
            "asked": h.asked,
            "step": h.step,
            "state": h.state,
            "changed": h.changed,
        }
        | ({"note": h.note, "answer": h.answer} if names else {})
        for h in store.help_queue(everything=True)
    ]
    return {
        "participants": pd.DataFrame(participants, columns=list(participants[0]) if participants else ["participant"]),
        "events": pd.DataFrame(events, columns=["participant", "kind", "step", "happened", "received", "values"]),
        "help": pd.DataFrame(asked)
        if asked
        else pd.DataFrame(columns=["participant", "asked", "step", "state", "changed"]),
    }


def export_class(store: Store, folder: Path, *, names: bool = False) -> list[Path]:
    """Write the tables as CSV and Parquet."""
    written = []
    for name, table in class_tables(store, names=names).items():
        written.append(write_atomically(folder / f"{name}.csv", lambda f, table=table: table.to_csv(f, index=False)))
        written.append(
            write_atomically(folder / f"{name}.parquet", lambda f, table=table: table.to_parquet(f, index=False))
        )
    return written
