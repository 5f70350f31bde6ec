"""A small archive that most tests of the phantom archive read: three patients with every kind of object and fault."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from firstread.phantoms.archive import write_archive


@dataclass(frozen=True)
class Archive:
    """An archive on disk and its truth."""

    folder: Path

    @property
    def dicom(self) -> Path:
        return self.folder / "dicom"

    def table(self, name: str) -> pd.DataFrame:
        return pq.read_table(self.folder / "truth" / f"{name}.parquet").to_pandas()

    @cached_property
    def actions(self) -> pd.DataFrame:
        return self.table("actions")

    @cached_property
    def files(self) -> pd.DataFrame:
        return self.table("files").set_index("file")


@pytest.fixture(scope="session")
def archive(tmp_path_factory) -> Archive:
    folder = tmp_path_factory.mktemp("phantom") / "archive"
    return Archive(write_archive(folder, patients=3, processes=1, matrix=32, slices=8))
