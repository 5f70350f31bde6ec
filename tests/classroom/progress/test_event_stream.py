"""Many watch, one looks; each is sent what has changed, and knows when nothing is heard any more."""

import asyncio
import json

import pytest

pytest.importorskip("jupyterhub", reason="the classroom needs firstread[classroom]")

import firstread.classroom.progress.event_stream as stream_module
from firstread.classroom.progress.event_stream import Look, Stream


class Shown:
    """Something to look at."""

    def __init__(self):
        self.seen = 0
        self.parts, self.broken = {"a": "<p>1</p>", "b": "<p>1</p>"}, False

    def look(self):
        if self.broken:
            raise OSError("the class's memory is away")
        return Look({}, {"instructor": dict(self.parts), "projector": {"now": "<p>room</p>"}}, self.seen)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(stream_module, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(stream_module, "ALIVE_SECONDS", 0.1)


async def news(viewer):
    """The next event that is more than a sign of life."""
    for _ in range(100):
        event = await asyncio.wait_for(anext(viewer), 5)
        data = [line.removeprefix("data: ") for line in event.splitlines() if line.startswith("data: {")]
        if data:
            return json.loads(data[0])
    raise AssertionError("nothing was shown")


def test_first_everything_then_what_has_changed_then_what_is_gone():
    async def story():
        shown = Shown()
        viewer = Stream(shown.look).changes("instructor")
        assert await news(viewer) == {"whole": True, "parts": shown.parts, "gone": []}
        shown.parts["b"] = "<p>2</p>"
        assert await news(viewer) == {"whole": False, "parts": {"b": "<p>2</p>"}, "gone": []}
        del shown.parts["a"]
        assert await news(viewer) == {"whole": False, "parts": {}, "gone": ["a"]}
        await viewer.aclose()

    asyncio.run(story())


def test_it_is_told_up_to_which_event_the_board_is_even_if_nothing_looks_different():
    async def story():
        shown = Shown()
        viewer = Stream(shown.look).changes("instructor")
        assert "id: 0\n" in await anext(viewer)
        shown.seen = 7
        told = await asyncio.wait_for(anext(viewer), 5)
        while "alive" in told:
            told = await asyncio.wait_for(anext(viewer), 5)
        assert told == "id: 7\n\n"
        await viewer.aclose()

    asyncio.run(story())


def test_twenty_viewers_cost_one_look_each_time():
    async def story():
        shown = Shown()
        stream = Stream(shown.look)
        viewers = [stream.changes("projector" if number % 2 else "instructor") for number in range(20)]
        first = await asyncio.gather(*(news(viewer) for viewer in viewers))
        assert [("now" in one["parts"], "a" in one["parts"]) for one in first[:2]] == [(False, True), (True, False)]
        assert stream.looks <= 3
        for viewer in viewers:
            await viewer.aclose()
        await asyncio.sleep(0.05)
        looks = stream.looks
        await asyncio.sleep(0.1)
        assert stream.looks <= looks + 1, "nobody watches, nobody looks"
        again = stream.changes("instructor")
        assert (await news(again))["whole"]
        await again.aclose()

    asyncio.run(story())


def test_signs_of_life_stop_when_the_class_cannot_be_looked_at_and_it_recovers_by_itself():
    async def story():
        shown = Shown()
        viewer = Stream(shown.look).changes("instructor")
        await news(viewer)
        assert await asyncio.wait_for(anext(viewer), 2) == "event: alive\ndata:\n\n"
        shown.broken = True
        await asyncio.sleep(0.05)
        waiting = asyncio.ensure_future(anext(viewer))
        await asyncio.sleep(0.4)
        assert not waiting.done(), "a page that hears nothing says that it is cut off"
        shown.broken, shown.parts["a"] = False, "<p>3</p>"
        assert "<p>3</p>" in (await asyncio.wait_for(waiting, 5)).encode().decode("unicode_escape")
        await viewer.aclose()

    asyncio.run(story())
