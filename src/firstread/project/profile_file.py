"""`profile.toml`: the profile by which a project's archive is de-identified, readable and written once."""

import json
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from firstread.core.errors import DataError, SettingError, suggest
from firstread.core.files import write_text
from firstread.deidentification.profile import DEFAULT_OPTIONS, OPTION_CODES, Profile

_MAX_BYTES = 100_000
#: other words for an option, as people say them
_ALIASES = {"retain_dates_shifted": "retain_modified_dates", "retain_dates": "retain_full_dates"}
_DATED = frozenset({"retain_full_dates", "retain_modified_dates"})


@dataclass(frozen=True)
class ProjectProfile:
    """Options of PS3.15 Annex E, and whether the key is forgotten.

    Raises:
        SettingError: anonymous outputs that keep or shift dates: a shift undone leads back to people.
    """

    profile: Profile = field(default_factory=Profile)
    anonymous: bool = False

    def __post_init__(self) -> None:
        if self.anonymous and self.profile.options & (_DATED | {"retain_uids"}):
            raise SettingError(
                "Anonymous outputs keep neither dates nor UIDs: both lead back to the originals",
                do="leave these options out, or make pseudonyms",
            )

    def write(self, path: Path) -> Path:
        """Write the file."""
        lines = [
            "# By which rules this project de-identifies: the basic profile of DICOM PS3.15 Annex E and options of it.",
            f"anonymous = {str(self.anonymous).lower()}",
            f"options = {json.dumps(sorted(self.profile.options))}",
        ]
        return write_text(path, "\n".join(lines) + "\n")

    @classmethod
    def read(cls, path: Path) -> "ProjectProfile":
        """Read the file.

        Raises:
            DataError: it is damaged.
        """
        try:
            if path.stat().st_size > _MAX_BYTES:
                raise ValueError("too large")
            content = tomllib.loads(path.read_text(encoding="utf-8"))
            return cls(Profile(frozenset(content["options"])), anonymous=content["anonymous"] is True)
        except (SettingError, ValueError, KeyError, TypeError) as error:
            raise DataError(
                "The file of the profile is damaged", where=path, do="delete it, and state the options again"
            ) from error


def choose_profile(path: Path, options: Iterable[str] | None, *, anonymous: bool | None) -> ProjectProfile:
    """The profile that is asked for: what is stated, else the file's, else the default.

    Args:
        path: of `profile.toml`.
        options: names with - or _; "none" alone is the basic profile without options. None: as before.
        anonymous: None: as before.

    Raises:
        SettingError: an option that does not exist, or options that exclude each other.
    """
    before = ProjectProfile.read(path) if path.is_file() else None
    is_anonymous = anonymous if anonymous is not None else before.anonymous if before else False
    if options is None:
        if before is not None and before.anonymous == is_anonymous:
            return before
        kept = before.profile.options if before else DEFAULT_OPTIONS
        return ProjectProfile(Profile(kept - _DATED if is_anonymous else kept), is_anonymous)
    return ProjectProfile(Profile(_parse(options)), is_anonymous)


def _parse(options: Iterable[str]) -> frozenset[str]:
    names = [name.strip().lower().replace("-", "_") for name in options]
    if names == ["none"]:
        return frozenset()
    if "none" in names:
        raise SettingError("The option none stands alone", do="leave it out, or all others")
    chosen = frozenset(_ALIASES.get(name, name) for name in names)
    for name in sorted(chosen - OPTION_CODES.keys()):
        shown = name.replace("_", "-")
        known = [option.replace("_", "-") for option in OPTION_CODES]
        raise SettingError(
            f'There is no option "{shown}" of de-identification.{suggest(shown, known)}', expected=", ".join(known)
        )
    return chosen
