"""Simulated class in the middle of lesson 1, from a seed: progress, errors, help requests, and attacks."""

import base64
import json
import random
import struct
import zlib
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from firstread.classroom.database.help_requests import help_queue, request_help, update_help_request
from firstread.classroom.database.schema import Event

ATTACK = "<img src=x onerror=\"document.title='stolen'\"><script>document.title='stolen'</script>"
NAMES = (
    *("Ana Mbeki", "Bea", "Cem Öztürk", "Dr. Dovilė Kazlauskaitė", "Eva", "Faisal", "Grace O’Neill", "Hana", "Igor"),
    *(
        "Jun 준",
        "Kofi",
        "Lea",
        "Marie-Claire de la Tour d’Auvergne-Lau",
        "Nils",
        "Olu",
        "Priya",
        "Quinn",
        "Rosa",
        "Sam",
    ),
    *("Tove", "Umar", "Vera", "Wei 伟", "Ximena", "Yusuf", "Zoé"),
)
#: error type, cell of lesson 1, relative frequency
ERRORS = (
    ("NameError", "cell-004", 5),
    ("SyntaxError", "cell-014", 4),
    ("NameError", "cell-016", 3),
    ("KeyError", "cell-020", 1),
)
NOTES = (
    "my cell is red and I do not know what dropout is",
    "",
    "It says NameError but I typed exactly what stands there, I believe?",
    "The image does not appear",
    "what is a cohort",
    "Can I use my own image already? It lies in my home folder and it is a JPEG.",
)


def make_png(width=240, height=120):
    """A gray gradient as PNG bytes, encoded by hand."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes((x * 255 // width + y) % 256 for x in range(width)) for y in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def malicious_notebook():
    """A copy of a notebook with outputs and sources that must not run or load anything."""
    picture = base64.b64encode(make_png()).decode()
    svg = f"<svg xmlns='http://www.w3.org/2000/svg'>{ATTACK}</svg>"
    traceback = ["\x1b[0;31mNameError\x1b[0m", ATTACK]
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": ["Hello, \x1b[31mWorld\x1b[0m!\n", ATTACK]},
        {"output_type": "display_data", "data": {"text/html": ATTACK, "text/plain": "<Figure size 640x480>"}},
        {"output_type": "display_data", "data": {"image/png": picture, "text/html": ATTACK}},
        {"output_type": "display_data", "data": {"image/png": base64.b64encode(ATTACK.encode()).decode()}},
        {"output_type": "display_data", "data": {"image/svg+xml": svg}},
        {"output_type": "display_data", "data": {"application/javascript": "document.title='stolen'"}},
        {"output_type": "error", "ename": "NameError", "evalue": ATTACK, "traceback": traceback},
    ]
    cells = [
        {"cell_type": "markdown", "source": ["# My notes\n", ATTACK, "\n[x](javascript:document.title='stolen')"]},
        {"cell_type": "code", "source": "my_reading = " + ATTACK, "outputs": outputs},
        {"cell_type": "code", "source": "print('fine')", "outputs": [{"output_type": "stream", "text": "fine\n"}]},
    ]
    return json.dumps({"cells": cells, "nbformat": 4})


class SimulatedClass:
    """Fills a class database with participants who are `minutes` into the lesson at `now`.

    Args:
        store: database of the class.
        steps: of its lesson.
        hostile: one name and one note are attacks; False makes a class for a picture, in letters that any font has.
    """

    def __init__(self, store, steps, *, people, seed=1, minutes=17.0, now=None, hostile=True):
        self.store, self.steps, self.random, self.hostile = store, steps, random.Random(seed), hostile
        self.now = now or datetime.now(UTC)
        self.began = self.now - timedelta(minutes=minutes)
        self.people, self.count = [], 0
        store.start_plan(self.began)
        names = NAMES if hostile else [name for name in NAMES if max(map(ord, name)) < 0x2100]
        for number in range(people):
            name = ATTACK[:40] if number == 4 and hostile else names[number % len(names)]
            self.people.append(store.join(name, now=self.began + timedelta(seconds=self.random.uniform(0, 90)))[0])
        self._rows = []
        for number, person in enumerate(self.people):
            self._simulate_participant(number, person)
        with Session(store.engine) as session, session.begin():  # in the order of receipt
            session.add_all(sorted(self._rows, key=lambda row: row.received))
        self._request_help()

    def make_event(self, kind, at, step=None, **values):
        """An event as a participant's server sends it."""
        self.count += 1
        return {"key": f"{self.count:012d}", "kind": kind, "step": step, "values": values, "happened": at}

    def record_failed_cell(self, number, *, error="NameError", cell="cell-016", step="look"):
        """Record a failed cell of participant `number` (from 0), now."""
        news = [self.make_event("cell", datetime.now(UTC), step, ok=False, error=error, cell=cell)]
        self.store.record_events(self.people[number].username, news)

    def _simulate_participant(self, number, person):
        """Events of one participant up to now, at their own pace."""
        lost = number % 11 == 7  # does not finish the second step
        pace, at = self.random.lognormvariate(-0.1, 0.22), self.began + timedelta(seconds=100)
        for place, step in enumerate(self.steps):
            if at > self.now or (number % 23 == 22 and place == 0):  # never starts
                break
            took = timedelta(minutes=step["minutes"] * pace * self.random.uniform(0.6, 1.3))
            self._record(person, self.make_event("step", at, step["id"]), at)
            for cell in range(9):
                then = at + took * cell / 9
                if then < self.now:
                    self._record(
                        person,
                        self.make_event(
                            "cell", then, step["id"], ok=True, cell=f"cell-{4 * place + cell:03d}", seconds=0.5
                        ),
                        then,
                    )
            if lost and place == 1:
                break
            at += took
        else:
            if at <= self.now:
                self._record(person, self.make_event("finish", at), at)
        if number % 6 == 3 and number % 11 != 7:
            kind, cell, _ = self.random.choices(ERRORS, [share for *_, share in ERRORS])[0]
            self._record(
                person, self.make_event("cell", self.now, step["id"], ok=False, error=kind, cell=cell), self.now
            )
        quiet = timedelta(minutes=3) if number % 17 == 5 else timedelta(seconds=2)
        self.store.mark_seen(person.username, now=self.now - quiet)

    def _record(self, person, event, at):
        self._rows.append(Event(**event, participant_id=person.id, received=at))

    def _request_help(self):
        asking = self.people[1 :: max(4, len(self.people) // 5)]
        for place, person in enumerate(asking):
            note = ATTACK if place == 0 and self.hostile else NOTES[place % len(NOTES)]
            copy = malicious_notebook() if place % 2 == 0 else None
            request_help(
                self.store,
                person.username,
                note,
                step=self.steps[min(place, 3)]["id"],
                error="NameError" if place % 3 == 0 else None,
                notebook=copy,
            )
        if len(asking) > 2:
            update_help_request(self.store, help_queue(self.store)[1].id, state="taken")
