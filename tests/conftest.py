"""Shared by all tests: a firstread home of their own, the real data where they lie, and a tiny cohort."""

import os
from pathlib import Path

import hypothesis
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]

os.environ.setdefault("FIRSTREAD_PROGRESS", "off")

# a busy machine is not a fault: no property fails for being slow
hypothesis.settings.register_profile("firstread", deadline=None)
hypothesis.settings.load_profile("firstread")


@pytest.fixture(scope="session", autouse=True)
def firstread_home(tmp_path_factory):
    """No test reads or writes the user's own firstread folder."""
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
    """The folder of real published images beside the checkout; tests that need it are skipped where it is missing."""
    folder = Path(os.environ.get("FIRSTREAD_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"the real images are not here (looked in {folder.name}/ beside the project)")
    return folder


@pytest.fixture
def tiny_cohort(tmp_path):
    """24 images of 32 pixels, bright and dark, in three splits: what a network can learn in a second."""
    from PIL import Image

    from firstread.core.cohort import Cohort, Origin
    from firstread.core.columns import make_table

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
    return Cohort(make_table(rows), ("dark", "bright"), Origin("tiny", "noise, bright or dark"))
