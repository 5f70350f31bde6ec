"""A cohort of phantom patients: flow, Table 1 and classes are those of the truth, counted without the criteria."""

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from firstread.curation.eligibility import parse_eligibility
from firstread.curation.eligibility_tables import ArchiveTables
from firstread.curation.participant_flow import select_participants
from firstread.curation.table_one import table_one
from firstread.phantoms.archive import write_archive
from firstread.project.cohort_step import patient_rows

pytestmark = pytest.mark.slow
ELIGIBILITY = """
[[include]]
name = "Venous, axial"
where = "series.modality == 'CT' and series.kind == 'original' and series.plane == 'axial' and series.phase == 'venous'"

[[exclude]]
name = "Lesions in doubt"
needs = "clinical"
where = "clinical.sum_of_diameters_mm > 60"

[window]
name = "Within a week of the follow-up"
within_days = 7
of = "clinical.follow_up_days"

[target]
name = "metastasis"
where = "clinical.metastases > 0"
"""


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantom") / "archive"
    write_archive(folder, patients=5, processes=1, matrix=32, slices=8)
    clinical = pd.read_csv(folder / "truth" / "clinical.csv", dtype={"patient_id": str})
    return pq.read_table(folder / "truth" / "studies.parquet").to_pandas(), clinical


def test_flow_table_and_classes_equal_the_truth(truth):
    stacks, clinical = truth
    study = stacks.groupby("study", as_index=False).first()[["study", "patient", "day"]]
    facts = clinical.drop(columns=["patient_id", "birth_date"])
    tables = ArchiveTables.join(
        series=pa.Table.from_pandas(stacks.drop(columns=["sop_instance_uids", "day"]), preserve_index=False),
        study=pa.Table.from_pandas(study, preserve_index=False),
        clinical=pa.Table.from_pandas(facts, preserve_index=False),
    )
    found = select_participants(parse_eligibility(ELIGIBILITY), tables)

    merged = stacks.merge(clinical, on="patient")
    venous = merged[
        (merged["modality"] == "CT")
        & (merged["kind"] == "original")
        & (merged["plane"] == "axial")
        & (merged["phase"] == "venous")
    ]
    small = venous[venous["sum_of_diameters_mm"] <= 60]
    near = small[(small["day"] - small["follow_up_days"]).abs() <= 7]
    undated = set(small["patient"][small["follow_up_days"].isna()])
    counts = [merged["patient"].nunique(), venous["patient"].nunique(), small["patient"].nunique()]
    assert found.flow["side"].to_pylist() == ["start", "include", "exclude", "include", "missing", "included"]
    assert found.flow["after"].to_pylist()[:3] == counts
    assert found.flow["left"].to_pylist()[4] == len(undated) > 0
    assert found.flow["after"].to_pylist()[-1] == near["patient"].nunique() > 0
    kept = found.tables.rows.filter(pa.array(found.included))
    assert sorted(kept["series.series"].to_pylist()) == sorted(near["series"])

    patients = patient_rows(tables, found.included, found.targets)
    chosen = [name in set(near["patient"]) for name in patients["patient"].to_pylist()]
    rows = table_one(patients, {"included": pd.array(chosen).to_numpy()}).rows.set_index(["variable", "value"])[
        "included"
    ]
    own = clinical[clinical["patient"].isin(near["patient"])]
    middle, low, high = own["liver_volume_ml"].quantile([0.5, 0.25, 0.75])
    assert rows["liver_volume_ml", "median (quartiles)"].rstrip("*") == f"{middle:.0f} ({low:.0f} to {high:.0f})"
    assert rows["target", "metastasis"].split()[0] == str((own["metastases"] > 0).sum())
