"""`deidentify`: a folder or a file of DICOM, de-identified into a folder that names nobody."""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from hashlib import file_digest
from pathlib import Path
from typing import Any

from firstread.core.errors import DataError, SettingError
from firstread.core.files import read_json, write_json
from firstread.core.progress_bar import ProgressBar
from firstread.core.version import package_version
from firstread.deidentification.deidentification_result import Deidentification, HeldFile
from firstread.deidentification.file_deidentifier import FileResult, deidentify_file
from firstread.deidentification.identity_index import IdentityIndex, readable_datasets
from firstread.deidentification.profile import Profile
from firstread.deidentification.pseudonym_keys import PseudonymKeys
from firstread.dicom.headers import convert_dicom_errors

RECORD = "deidentification.json"
_MAX_RECORD_BYTES = 64 * 1024**2
COPY = "The same file as another one, byte for byte: that one is kept"
CLASH = "Another file has the same SOPInstanceUID and other contents: say which of them is true"


def deidentify(
    path: str | Path,
    folder: str | Path,
    *,
    profile: Profile | None = None,
    keys: PseudonymKeys | None = None,
    quiet: bool = False,
) -> Deidentification:
    """De-identify a DICOM file, or all DICOM of a folder, into another folder.

    The originals are read, never changed. What the rules are not complete for is held back and listed with a reason.
    A run that was stopped goes on where it stopped when it is started again with the same keys and profile.

    Args:
        path: a file or a folder; files that are not DICOM are listed as held back.
        folder: where the outputs go: `P…/T…/S…/I….dcm`, and `deidentification.json`, which says what was done.
        profile: options of DICOM PS3.15 Annex E; by default dates are shifted, descriptions cleaned, age and sex kept.
        keys: from a secret that is kept apart: pseudonyms. Without keys: anonymous, that is, the secret is made for
            this run and forgotten, and dates are removed.

    Raises:
        DataError: there is no such file or folder.
        SettingError: the output folder lies within the input, or holds outputs of another profile or other keys.

    Example:
        >>> import tempfile
        >>> from pydicom.data import get_testdata_file
        >>> keys = PseudonymKeys.from_secret(bytes(32))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     result = deidentify(get_testdata_file("CT_small.dcm"), folder, keys=keys)
        >>> result.written, result.held
        (1, ())
    """
    path, folder = Path(path), Path(folder)
    if not path.exists():
        raise DataError("There is no such file or folder", where=path, do="check the path")
    if path.is_dir() and folder.resolve().is_relative_to(path.resolve()):
        raise SettingError(
            "The outputs would lie among the originals", where=folder, do="choose a folder outside of the originals"
        )
    profile, keys = _choose(profile, keys)
    record = _open_record(folder, profile, keys)
    files = sorted(_files(path))
    with ProgressBar("reading headers", len(files), unit="file", quiet=quiet) as bar:
        identities, repeated = _gather(files, bar)
    over_89 = {keys.patient(key) for key, identity in identities.identities.items() if identity.over_89}
    rewrite = frozenset(over_89 - set(record.get("over_89", [])))
    _remove_leftovers(folder)
    counts: Counter[str] = Counter()
    actions: Counter[str] = Counter()
    held: list[HeldFile] = []
    with ProgressBar("de-identifying", len(files), unit="file", quiet=quiet) as bar:
        for file in files:
            if reason := repeated.get(file):
                result = FileResult(file, None, reason)
            else:
                result = deidentify_file(
                    file, folder, profile=profile, keys=keys, identities=identities, rewrite=rewrite
                )
            counts["held" if result.held else "existed" if result.existed else "written"] += 1
            actions.update(result.actions)
            if result.held:
                held.append(HeldFile(file, result.held))
            bar.update()
    write_json(folder / RECORD, record | {"over_89": sorted(over_89 | set(record.get("over_89", [])))})
    return Deidentification(
        folder=folder,
        profile=profile,
        anonymous=keys.anonymous,
        written=counts["written"],
        existed=counts["existed"],
        held=tuple(held),
        actions=dict(actions.most_common()),
    )


def _remove_leftovers(folder: Path) -> None:
    """Remove what a run that was killed had begun to write."""
    for leftover in folder.glob("P*/T*/S*/.I*.dcm.*.dcm"):
        leftover.unlink(missing_ok=True)


def _choose(profile: Profile | None, keys: PseudonymKeys | None) -> tuple[Profile, PseudonymKeys]:
    profile = profile or Profile()
    if keys is None or keys.anonymous:
        dated = {"retain_full_dates", "retain_modified_dates"} & profile.options
        return profile.without_options(*dated), keys or PseudonymKeys.forgotten()
    return profile, keys


def _open_record(folder: Path, profile: Profile, keys: PseudonymKeys) -> dict[str, Any]:
    """What earlier runs left in the folder; refuses a folder whose outputs would not fit together with new ones."""
    now = {
        "options": sorted(profile.options),
        "anonymous": keys.anonymous,
        "keys": keys.digest("record"),
        "firstread": package_version(),
    }
    if not (folder / RECORD).is_file():
        write_json(folder / RECORD, now)
        return now
    before = read_json(folder / RECORD, max_bytes=_MAX_RECORD_BYTES)
    if not isinstance(before, dict) or any(before.get(name) != now[name] for name in ("options", "keys")):
        raise SettingError(
            "The folder holds outputs of another profile or of other keys, which must not be mixed",
            where=folder,
            do="choose an empty folder, or the profile and keys of the first run",
        )
    return before


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    for place, folders, names in os.walk(path):
        folders.sort()
        yield from (file for name in names if (file := Path(place, name)).is_file() and not file.is_symlink())


def _gather(files: list[Path], bar: ProgressBar) -> tuple[IdentityIndex, dict[Path, str]]:
    """Identities of all files, and a reason to hold back files that share a SOPInstanceUID."""
    identities = IdentityIndex()
    first: dict[str, Path] = {}
    again: dict[str, list[Path]] = {}
    for path, dataset in readable_datasets(files):
        bar.update()
        with suppress(DataError), convert_dicom_errors(path):
            identities.add(dataset)
            uid = str(dataset.get("SOPInstanceUID") or "")
            if uid and first.setdefault(uid, path) is not path:
                again.setdefault(uid, [first[uid]]).append(path)
    repeated: dict[Path, str] = {}
    for paths in again.values():
        contents = [_digest(path) for path in paths]
        same = len(set(contents)) == 1
        repeated.update(dict.fromkeys(paths[1:] if same else paths, COPY if same else CLASH))
    return identities, repeated


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return file_digest(file, "sha256").hexdigest()
