"""Make `src/firstread/deidentification/annex_e.csv`: DICOM PS3.15 table E.1-1 as one CSV.

The rows of edition 2024e come from the JSON of innolitics/dicom-standard (MIT; content derived from the standard,
(c) NEMA): `confidentiality_profile_attributes.json`. The rows that edition 2026c added stand in
`standards/annex_e_2026c.csv`; they have a code of the basic profile and none of an option.

    python standards/annex_e.py FOLDER_OF_THE_JSON
"""

import csv
import json
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
ADDED = ROOT / "standards" / "annex_e_2026c.csv"
TARGET = ROOT / "src" / "firstread" / "deidentification" / "annex_e.csv"
#: key in the JSON -> column: the option of PS3.15 E.3 in words
OPTIONS = {
    "rtnUIDsOpt": "retain_uids",
    "rtnDevIdOpt": "retain_device_identity",
    "rtnInstIdOpt": "retain_institution_identity",
    "rtnPatCharsOpt": "retain_patient_characteristics",
    "rtnLongFullDatesOpt": "retain_full_dates",
    "rtnLongModifDatesOpt": "retain_modified_dates",
    "cleanDescOpt": "clean_descriptors",
    "cleanStructContOpt": "clean_structured_content",
    "cleanGraphOpt": "clean_graphics",
    "rtnSafePrivOpt": "retain_safe_private",
}
COLUMNS = ("tag", "name", "basic_profile", *OPTIONS.values(), "edition")


def main() -> None:
    """Write the table, sorted by tag."""
    content = json.loads((Path(sys.argv[1]) / "confidentiality_profile_attributes.json").read_text())
    rows = [_row(entry) for entry in content]
    with open(ADDED, newline="") as file:
        rows += [{**dict.fromkeys(COLUMNS, ""), **row, "edition": "2026c"} for row in csv.DictReader(file)]
    rows.sort(key=lambda row: row["tag"])
    with open(TARGET, "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(f"{len(rows)} rows in {TARGET}")


def _row(entry: dict[str, str]) -> dict[str, str]:
    row = {
        "tag": entry["tag"].replace(" WHERE GGGG IS ODD", ""),
        "name": entry["name"],
        "basic_profile": entry["basicProfile"],
        "edition": "2024e",
    }
    return row | {column: entry.get(key, "") for key, column in OPTIONS.items()}


if __name__ == "__main__":
    main()
