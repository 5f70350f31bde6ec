"""The class's results come to the notebook's side when they are new, and stay when the service is away."""

import asyncio
from types import SimpleNamespace

from firstread.classroom.participant.event_uploader import EventUploader
from firstread.lessons.class_runs import class_runs_file


class Service:
    """Answers as it is told to, and remembers what it was asked."""

    def __init__(self):
        self.answers, self.asked = [], []

    async def fetch(self, address, **request):
        self.asked.append((address, request["headers"]))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def answer(code, body=b"", mark=""):
    return SimpleNamespace(code=code, body=body, headers={"ETag": mark})


def test_results_are_brought_when_they_are_new(tmp_path):
    service = Service()
    uploader = EventUploader(tmp_path / "spool", "http://class/", "secret", service)
    service.answers = [
        answer(200, b"one", '"1"'),
        answer(304),
        OSError("away"),
        answer(503),
        answer(200, b"two", '"2"'),
    ]

    async def story():
        return [await uploader.download_results() for _ in range(5)]

    assert asyncio.run(story()) == [True, False, False, False, True]
    assert class_runs_file(tmp_path / "spool").read_bytes() == b"two"
    assert service.asked[0][0] == "http://class/api/results"
    assert "If-None-Match" not in service.asked[0][1]
    assert service.asked[1][1]["If-None-Match"] == '"1"'
    assert service.asked[1][1]["Authorization"] == "token secret"


def test_a_file_that_was_lost_is_brought_again(tmp_path):
    service = Service()
    uploader = EventUploader(tmp_path / "spool", "http://class/", "secret", service)
    service.answers = [answer(200, b"one", '"1"')] * 2
    assert asyncio.run(uploader.download_results())
    class_runs_file(tmp_path / "spool").unlink()
    assert asyncio.run(uploader.download_results())
    assert "If-None-Match" not in service.asked[1][1]


def test_a_full_disk_disturbs_nobody(tmp_path):
    (tmp_path / "file").write_text("")
    service = Service()
    service.answers = [answer(200, b"one", '"1"')]
    assert (
        asyncio.run(EventUploader(tmp_path / "file" / "spool", "http://class/", "secret", service).download_results())
        is False
    )
