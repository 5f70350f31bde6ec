"""One snapshot serves many viewers; each is sent what has changed, and notices when the connection is cut."""

import asyncio
import json

import pytest

pytest.importorskip("jupyterhub", reason="the classroom needs firstread[classroom]")

import firstread.classroom.progress.event_stream as event_stream
from firstread.classroom.progress.event_stream import DashboardSnapshot, EventStream


class FakeDashboard:
    """Snapshots of parts that a test can change."""

    def __init__(self):
        self.last_event_id = 0
        self.parts, self.broken, self.failure_count = {"a": "<p>1</p>", "b": "<p>1</p>"}, False, 0

    async def failures(self, count):
        """Wait for so many more failed snapshots."""
        end = self.failure_count + count
        while self.failure_count < end:
            await asyncio.sleep(0.005)

    def snapshot(self):
        if self.broken:
            self.failure_count += 1
            raise OSError("the class's memory is away")
        return DashboardSnapshot(
            {}, {"instructor": dict(self.parts), "projector": {"now": "<p>room</p>"}}, self.last_event_id
        )


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(event_stream, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(event_stream, "KEEPALIVE_SECONDS", 0.1)


async def next_change(viewer):
    """The next event that is more than a sign of life."""
    for _ in range(100):
        event = await asyncio.wait_for(anext(viewer), 5)
        data = [line.removeprefix("data: ") for line in event.splitlines() if line.startswith("data: {")]
        if data:
            return json.loads(data[0])
    raise AssertionError("nothing was shown")


def test_first_everything_then_what_has_changed_then_what_is_gone():
    async def story():
        shown = FakeDashboard()
        viewer = EventStream(shown.snapshot).events("instructor")
        assert await next_change(viewer) == {"whole": True, "parts": shown.parts, "gone": []}
        shown.parts["b"] = "<p>2</p>"
        assert await next_change(viewer) == {"whole": False, "parts": {"b": "<p>2</p>"}, "gone": []}
        del shown.parts["a"]
        assert await next_change(viewer) == {"whole": False, "parts": {}, "gone": ["a"]}
        await viewer.aclose()

    asyncio.run(story())


def test_it_is_told_up_to_which_event_the_board_is_even_if_nothing_looks_different():
    async def story():
        shown = FakeDashboard()
        viewer = EventStream(shown.snapshot).events("instructor")
        assert "id: 0\n" in await anext(viewer)
        shown.last_event_id = 7
        told = await asyncio.wait_for(anext(viewer), 5)
        while "alive" in told:
            told = await asyncio.wait_for(anext(viewer), 5)
        assert told == "id: 7\n\n"
        await viewer.aclose()

    asyncio.run(story())


def test_twenty_viewers_cost_one_look_each_time():
    async def story():
        shown = FakeDashboard()
        stream = EventStream(shown.snapshot)
        viewers = [stream.events("projector" if number % 2 else "instructor") for number in range(20)]
        first = await asyncio.gather(*(next_change(viewer) for viewer in viewers))
        assert [("now" in one["parts"], "a" in one["parts"]) for one in first[:2]] == [(False, True), (True, False)]
        assert stream.snapshot_count <= 3
        for viewer in viewers:
            await viewer.aclose()
        await asyncio.sleep(0.05)
        looks = stream.snapshot_count
        await asyncio.sleep(0.1)
        assert stream.snapshot_count <= looks + 1, "nobody watches, nobody looks"
        again = stream.events("instructor")
        assert (await next_change(again))["whole"]
        await again.aclose()

    asyncio.run(story())


def test_signs_of_life_stop_when_the_class_cannot_be_looked_at_and_it_recovers_by_itself():
    async def story():
        shown = FakeDashboard()
        viewer = EventStream(shown.snapshot).events("instructor")
        await next_change(viewer)
        assert await asyncio.wait_for(anext(viewer), 5) == "event: alive\ndata:\n\n"
        shown.broken = True
        await shown.failures(1)
        waiting = asyncio.ensure_future(next_change(viewer))
        await shown.failures(1 + int(3 * event_stream.KEEPALIVE_SECONDS / event_stream.POLL_SECONDS))
        assert not waiting.done(), "a page that hears nothing says that it is cut off"
        shown.broken, shown.parts["a"] = False, "<p>3</p>"
        assert (await asyncio.wait_for(waiting, 10))["parts"] == {"a": "<p>3</p>"}
        await viewer.aclose()

    asyncio.run(story())
