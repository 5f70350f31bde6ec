"""Fixtures of all tests: an isolated FIRSTREAD_HOME, the folder of published images, a tiny cohort."""

import os
from pathlib import Path

import hypothesis
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]

os.environ.setdefault("FIRSTREAD_PROGRESS", "off")

# no deadline: a busy machine must not fail a property test
hypothesis.settings.register_profile("firstread", deadline=None)
hypothesis.settings.load_profile("firstread")


@pytest.fixture(scope="session", autouse=True)
def firstread_home(tmp_path_factory):
    """Isolate the tests from the user's own firstread folder."""
    before = os.environ.get("FIRSTREAD_HOME")
    home = tmp_path_factory.mktemp("firstread-home")
    os.environ["FIRSTREAD_HOME"] = str(home)
    yield home
    if before is None:
        del os.environ["FIRSTREAD_HOME"]
    else:
        os.environ["FIRSTREAD_HOME"] = before


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real published images beside the checkout; tests that need it are skipped if it is missing."""
    folder = Path(os.environ.get("FIRSTREAD_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"the real images are not here (looked in {folder.name}/ beside the project)")
    return folder


@pytest.fixture(scope="session")
def small_pile(tmp_path_factory):
    """The first four patients of lesson 4's pile, with what was planted and the clinical table."""
    from itertools import islice

    import pandas as pd

    from firstread.phantoms.archive.teaching_pile import clinical_rows, write_teaching_pile

    folder = tmp_path_factory.mktemp("pile")
    stacks = [one for found in islice(write_teaching_pile(folder / "dicom"), 4) for one in found]
    truth = [{"series": one.series, "fault": one.fault, "person": one.person} for one in stacks]
    pd.DataFrame(truth).to_csv(folder / "truth.csv", index=False)
    pd.DataFrame(islice(clinical_rows(), 4)).to_csv(folder / "clinical.csv", index=False)
    return folder


@pytest.fixture(scope="session")
def teaching_patient(tmp_path_factory) -> Path:
    """DICOM files of the invented patient of lesson 3, in their folder."""
    from firstread.phantoms.archive.teaching_patient import write_teaching_patient

    folder = tmp_path_factory.mktemp("teaching-patient")
    write_teaching_patient(folder)
    return folder


@pytest.fixture
def tiny_cohort(tmp_path):
    """24 images of 32 x 32 pixels, bright and dark, in three splits; a network learns them in a second."""
    from PIL import Image

    from firstread.core.cohort import Cohort
    from firstread.core.columns import make_table
    from firstread.core.provenance import Origin

    rng = np.random.default_rng(0)
    rows = []
    for index in range(24):
        label = ("dark", "bright")[index % 2]
        pixels = rng.integers(0, 90, (32, 32)) + (120 if label == "bright" else 0)
        path = tmp_path / f"image{index:02d}.png"
        Image.fromarray(pixels.astype(np.uint8)).save(path)
        split = "train" if index < 12 else "validation" if index < 18 else "test"
        rows.append(
            {"case": path.stem, "file": str(path), "label": label, "patient": f"P{index // 2:02d}", "split": split}
        )
    return Cohort.from_table(make_table(rows), ("dark", "bright"), Origin("tiny", "noise, bright or dark"))


@pytest.fixture
def install_page(tmp_path, monkeypatch):
    """Install the package of a how-to page as a user would; returns the blocks of code that use it.

    The blocks run in one session, in an empty folder.
    """
    import importlib
    import sys

    from firstread.core.registry import registered
    from how_to_page import install_package

    installed = []

    def install(page, package):
        folder = tmp_path / "site-packages"
        folder.mkdir()
        uses = install_package(page, package, folder)
        monkeypatch.syspath_prepend(folder)
        installed.extend(file.stem for file in folder.glob("*.py"))
        importlib.invalidate_caches()
        registered.cache_clear()
        work = tmp_path / "work"
        work.mkdir()
        monkeypatch.chdir(work)
        return uses

    yield install
    for package in installed:
        sys.modules.pop(package, None)
    monkeypatch.undo()
    registered.cache_clear()


def pytest_sessionfinish(session, exitstatus):
    """With FIRSTREAD_NO_SKIPS=1 (set by .ci/run where it has installed everything) a skipped test is a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if skipped and exitstatus == 0 and os.environ.get("FIRSTREAD_NO_SKIPS") == "1":
        reporter.write_line(f"{len(skipped)} tests were skipped, and none may be here", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
