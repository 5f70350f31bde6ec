"""Make `src/firstread/deidentification/iod_attributes.json`: which attributes an information object definition has.

The modules of DICOM PS3.3, their attributes and types come from the tables that highdicom (MIT; content derived from
the standard, (c) NEMA) carries; the SOP classes of `dicom-standard-json` must all be known there.

    python standards/iod_attributes.py FOLDER_OF_THE_JSON
"""

import json
import sys
from pathlib import Path

import highdicom
from pydicom.datadict import tag_for_keyword

ROOT = Path(__file__).parents[1]
SOURCE = Path(highdicom.__file__).parent / "_standard"
TARGET = ROOT / "src" / "firstread" / "deidentification" / "iod_attributes.json"
#: a type in one place and another in another place: the one that asks for more
STRICTNESS = ("1", "1C", "2", "2C", "3")


def main() -> None:
    """Write the table."""
    sop_classes = json.loads((SOURCE / "sop_class_iod_map.json").read_text())
    definitions = {
        name: [module["key"] for module in modules]
        for name, modules in json.loads((SOURCE / "iod_module_map.json").read_text()).items()
        if name in set(sop_classes.values())
    }
    used = {module for modules in definitions.values() for module in modules}
    modules: dict[str, dict[str, str]] = {}
    nested: dict[str, dict[str, str]] = {}
    for module, attributes in json.loads((SOURCE / "module_attribute_map.json").read_text()).items():
        for attribute in attributes:
            tag, parents = tag_for_keyword(attribute["keyword"]), attribute["path"]
            parent = tag_for_keyword(parents[-1]) if parents else None
            if tag is None or (parents and parent is None):
                continue  # repeating groups: overlays have a rule of their own
            if parent is not None:
                _keep_strictest(nested.setdefault(f"{parent:08X}", {}), f"{tag:08X}", attribute["type"])
            elif module in used:
                _keep_strictest(modules.setdefault(module, {}), f"{tag:08X}", attribute["type"])
    _check_sop_classes(sop_classes)
    table = {"sop_classes": sop_classes, "iods": definitions, "modules": modules, "nested": nested}
    TARGET.write_text(json.dumps(table, sort_keys=True, separators=(",", ":")).replace("},", "},\n") + "\n")
    print(f"{len(sop_classes)} SOP classes, {len(definitions)} definitions, {len(modules)} modules in {TARGET}")


def _keep_strictest(types: dict[str, str], tag: str, found: str) -> None:
    """Keep the stricter of two types; what the tables state in other words counts as optional."""
    found = found if found in STRICTNESS else "3"
    types[tag] = min(found, types.get(tag, "3"), key=STRICTNESS.index)


def _check_sop_classes(sop_classes: dict[str, str]) -> None:
    """What the standard's own list has and the table has not, is said: such objects are held back."""
    listed = json.loads((Path(sys.argv[1]) / "sops.json").read_text())
    print("not in the table:", sorted(entry["name"] for entry in listed if entry["id"] not in sop_classes))


if __name__ == "__main__":
    main()
