"""Three data sets of the same images: what is in each, how it is divided, and what is measured of each."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from firstread.core.errors import SettingError
from firstread.lessons.dataset_versions import AS_IT_LIES, CURATED, LARGE_ONLY, DatasetVersions, train_on

RECIPE = {
    "backbone": "regnetx_002",
    "size": 32,
    "weights": "phantom",
    "frozen": {"epochs": 1, "schedule": "one-cycle", "learning_rate": 3e-3},
    "unfrozen": {"epochs": 1, "schedule": "one-cycle", "learning_rate": 5e-4},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """24 patients of a department and 8 of a clean test set, 3 images each: a lesion is a bright square."""
    folder, rng, rows = tmp_path_factory.mktemp("slices"), np.random.default_rng(0), []
    for number in range(32):
        part = "department" if number < 24 else "clean"
        (folder / part).mkdir(exist_ok=True)
        for index in range(3):
            size = 0.0 if (number + index) % 2 else (10.0, 40.0)[number % 3 > 0]
            pixels = rng.integers(0, 120, (32, 32)).astype(np.uint8)
            if size:
                pixels[8:20, 8:20] = 250
            file = f"{part}/{number:03d}-{index}.png"
            Image.fromarray(pixels).save(folder / file)
            plain = part == "department" and number in (1, 2) and not size
            rows.append((file, f"PH-{number:03d}", part, "unenhanced" if plain else "venous", number < 6, size))
    columns = ["file", "patient", "part", "phase", "twice", "lesion_mm"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "slices.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def versions(folder):
    return DatasetVersions.open(folder, seed=0)


def test_the_pile_has_copies_and_plain_images_the_curated_set_has_neither(versions):
    pile, curated = versions[AS_IT_LIES], versions[CURATED]
    assert len(pile) == 24 * 3 + 6 * 3
    assert pile.table["file"].duplicated().sum() == 18
    assert not curated.table["file"].duplicated().any()
    assert len(curated) == 24 * 3 - 3
    assert set(curated.table["file"]) < set(pile.table["file"])


def test_small_lesions_are_not_in_the_last(versions):
    sizes = versions[LARGE_ONLY].table["lesion_mm"]
    assert set(sizes) == {0.0, 40.0}


def test_only_the_pile_has_patients_on_both_sides(versions):
    for name, cohort in versions.cohorts.items():
        shared = set(cohort.train.table["patient"]) & set(cohort.test.table["patient"])
        assert bool(shared) == (name == AS_IT_LIES)
        assert not set(cohort.table["patient"]) & set(versions.clean.table["patient"])


def test_another_seed_divides_anew_and_the_same_does_not(folder, versions):
    again, other = DatasetVersions.open(folder, seed=0), DatasetVersions.open(folder, seed=1)
    assert list(again[CURATED].test.table["case"]) == list(versions[CURATED].test.table["case"])
    assert set(other[CURATED].test.table["case"]) != set(versions[CURATED].test.table["case"])
    assert list(other.clean.table["case"]) == list(versions.clean.table["case"])


def test_the_table_counts_them(versions):
    table = versions.table.set_index("data set")
    assert table.loc[AS_IT_LIES, ["patients", "images"]].tolist() == [24, 90]
    assert table.loc["clean test set", "divided by"] == "none of them in any other"
    with pytest.raises(SettingError, match='Did you mean "curated"'):
        versions["curate"]


def test_each_is_measured_on_its_own_test_and_on_the_clean_one(versions):
    model = train_on(versions[AS_IT_LIES], recipe=RECIPE, seed=0)
    results = versions.compare({AS_IT_LIES: model}, recipe=RECIPE, seed=0)
    first = results.rows[0]
    assert len(first.answers["own"].table) == len(versions[AS_IT_LIES].test)
    assert len(first.answers["clean"].table) == len(versions.clean)
    assert first.auc("own", rule=True).value > 0.5
    assert list(results.table["trained on"]) == [AS_IT_LIES, CURATED, LARGE_ONLY]
    assert all("[" in text for text in results.table["AUC, clean test"])
    assert set(results.to_json()) == {AS_IT_LIES, CURATED, LARGE_ONLY}
    assert 'alt="' in results._repr_html_()
    again = train_on(versions[AS_IT_LIES], recipe=RECIPE, seed=0)
    repeated = versions.compare({AS_IT_LIES: again}, recipe=RECIPE, seed=0)
    assert repeated.to_json() == results.to_json(), "the same seed gives the same numbers"
