"""In a running class two participants' trainings take turns, through the class's own broker and no shared folder."""

import asyncio
import os
from pathlib import Path

import pytest

pytest.importorskip("jupyterhub", reason="the classroom needs firstread[classroom]")

from firstread.classroom.progress.capacity import CapacityMonitor
from firstread.classroom.queue_schedule import GRACE_SECONDS

from .live_class import participant, run_async, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="classes run on POSIX systems")]
NOTEBOOK = "hello-world.ipynb"

#: a training as long as the file "done" is not there
LONG_TRAINING = """
import pathlib, time, torch
from firstread.learning.devices import acquire_queue_slot
torch.set_num_threads(CORES)
with acquire_queue_slot("cpu", quiet=True) as slot:
    pathlib.Path("running").touch()
    while not pathlib.Path("done").exists():
        slot.update_seconds_left(30)
        time.sleep(0.1)
print("done")
"""
#: a real one, which draws images of its own
SHORT_TRAINING = """
import numpy, pathlib, time, torch
import firstread as fr
from PIL import Image
from firstread.learning import devices, queue
torch.set_num_threads(CORES)
for number in range(24):
    file = pathlib.Path("images") / ("dark", "bright")[number % 2] / f"{number}.png"
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(numpy.full((32, 32), 60 + number % 2 * 120, numpy.uint8)).save(file)
cohort = fr.open_dataset("images")
model = fr.build_model("resnet18", classes=cohort.classes, size=32, weights=None)
positions = []
def report(position):
    positions.append(position.position)
    pathlib.Path("waiting").touch()
devices.QueueSlot = lambda **arguments: queue.QueueSlot(**{**arguments, "report": report})
run = fr.train(model, cohort, epochs=1, folder="run")
print(run.epochs, positions[0], positions[-1])
"""
#: every place where something could be left for a neighbour
SHARED_PLACES = """
import os, pathlib
folder = pathlib.Path(os.environ["FIRSTREAD_QUEUE"].removeprefix("unix:")).parent
written = []
for place in (folder, folder.parent, pathlib.Path("CLASS"), pathlib.Path("CLASS") / "queue"):
    try:
        (place / "left").write_text("for a neighbour")
        written.append(str(place))
    except OSError:
        pass
for change in (lambda: (folder / "socket").unlink(), lambda: (folder / "socket").rename(folder / "mine")):
    try:
        change()
        written.append("socket")
    except OSError:
        pass
print(written)
"""


async def arrive(person, name):
    await person.join(name)
    await person.open_server()
    await person.read_code_cells(NOTEBOOK)
    await person.start_kernel(NOTEBOOK)


def test_the_second_training_waits_for_the_first_and_nothing_is_shared(folder):
    cores = str(CapacityMonitor(folder.path).cores())

    async def story():
        async with participant(folder) as ana, participant(folder) as bea:
            await asyncio.gather(arrive(ana, "Ana"), arrive(bea, "Bea"))
            hers, other = (Path(folder.home_of(person.username)) for person in (ana, bea))
            first = asyncio.create_task(ana.run_cell(LONG_TRAINING.replace("CORES", cores)))
            await wait_until((hers / "running").exists, seconds=60 + GRACE_SECONDS)
            second = asyncio.create_task(bea.run_cell(SHORT_TRAINING.replace("CORES", cores)))
            await wait_until((other / "waiting").exists, seconds=120)
            assert not second.done()
            (hers / "done").touch()
            assert (await first)["text"] == "done\n"
            answer = await second
            assert answer["status"] == "ok", answer
            assert answer["text"].splitlines()[-1] == "1 1 0"
            answer = await ana.run_cell(SHARED_PLACES.replace("CLASS", str(folder.path)))
            assert answer["text"] == "[]\n", answer

    run_async(story())
    assert not (folder.path / "queue").exists()


def test_a_kernel_that_is_killed_while_it_trains_holds_nobody_up(folder):
    cores = str(CapacityMonitor(folder.path).cores())

    async def story():
        async with participant(folder) as ana, participant(folder) as bea:
            await asyncio.gather(arrive(ana, "Ana"), arrive(bea, "Bea"))
            hers = Path(folder.home_of(ana.username))
            first = asyncio.create_task(ana.run_cell(LONG_TRAINING.replace("CORES", cores)))
            await wait_until((hers / "running").exists, seconds=60)
            await ana.api_request("DELETE", f"kernels/{ana._kernel_id}")
            code = LONG_TRAINING.replace("CORES", cores).replace('not pathlib.Path("done").exists()', "False")
            assert (await bea.run_cell(code, timeout_seconds=60))["text"] == "done\n"
            first.cancel()

    run_async(story())
