"""Invented identities: everything that names a patient of a phantom archive, or the people and places around one."""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np

from firstread.phantoms.archive.names import REGIONS, Region

_CYRILLIC_GREEK = str.maketrans(
    {
        **dict(zip("абвгдеёзийклмнопрстуфхцыэ", "abvgdeeziiklmnoprstufhcye", strict=True)),
        **{"ж": "zh", "ч": "ch", "ш": "sh", "щ": "sch", "ю": "yu", "я": "ya", "ь": "", "ъ": ""},
        **dict(zip("αβγδεζηικλμνξοπρσςτυφω", "avgdeziiklmnxoprsstyfo", strict=True)),
        **{"θ": "th", "χ": "ch", "ψ": "ps", "ł": "l", "ß": "ss"},
    }
)


class IdentityValue(NamedTuple):
    """One value that must not leave the archive: its kind (name, id, birth_date, ...), text and character sets."""

    kind: str
    value: str
    character_set: str


@dataclass(frozen=True)
class Identity:
    """Who an invented patient is.

    Attributes:
        number: of the patient in the archive, from 0.
        region: where the patient lives.
        family, given: each in one to three groups, Latin or native, ideographic, phonetic.
        patient_id, issuer: of the hospital; an id may have leading zeros.
        birth_date, sex: "F" or "M".
        other_id: of another hospital.
        address, phone, hospital: in the characters of the region.
        physician, radiologist, operator: people around the patient, as "Family^Given".
        station, serial_number: of the scanner.
        ward: where the patient lies.
    """

    number: int
    region: Region
    family: tuple[str, ...]
    given: tuple[str, ...]
    patient_id: str
    issuer: str
    birth_date: date
    sex: str
    other_id: str
    address: str
    phone: str
    hospital: str
    physician: str
    radiologist: str
    operator: str
    station: str
    serial_number: str
    ward: str

    @property
    def key(self) -> str:
        """Name of the patient in the truth, such as "A0007"; it stands nowhere in the archive."""
        return f"A{self.number:04d}"

    @property
    def person_name(self) -> str:
        """Value of PatientName, groups separated by "="."""
        groups = [f"{family}^{given}" for family, given in zip(self.family, self.given, strict=True) if family]
        return "=".join(groups)

    @property
    def latin_family(self) -> str:
        """Family name in ASCII, as it stands in file names and on images."""
        return to_ascii(self.family[0])

    @property
    def latin_given(self) -> str:
        """Given name in ASCII."""
        return to_ascii(self.given[0])

    @property
    def character_set(self) -> str:
        """SpecificCharacterSet as it is written in a file, values separated by a backslash."""
        return "\\".join(self.region.character_set)

    @property
    def staff(self) -> tuple[str, str, str]:
        """People around the patient."""
        return self.physician, self.radiologist, self.operator

    def values(self) -> Iterator[IdentityValue]:
        """Every value that names the patient or somebody around, as it is written somewhere in the archive."""
        fixed = {
            "id": [self.patient_id],
            "other_id": [self.other_id],
            "birth_date": [*write_dates(self.birth_date)],
            "address": [self.address],
            "phone": [self.phone],
            "institution": [self.hospital, to_ascii(self.hospital)],
            "staff": [part for staff in self.staff for part in (staff, *staff.split("^"))],
            "issuer": [self.issuer],
            "ward": [self.ward],
            "station": [self.station],
            "serial_number": [self.serial_number],
        }
        names = {*self.family, *self.given, self.latin_family, self.latin_given, self.latin_family.upper()} - {""}
        for kind, texts in {"name": sorted(names), **fixed}.items():
            for text in dict.fromkeys(texts):
                yield IdentityValue(kind, text, self.character_set)


def draw_identity(seed: int, number: int, *, version: int) -> Identity:
    """Draw the identity of a patient of an archive; no two of an archive share a patient id."""
    rng = np.random.default_rng([version, seed, number, 1])
    region = REGIONS[number % len(REGIONS)]
    sex = str(rng.choice(["F", "M"]))
    family = _groups(str(rng.choice(region.families)))
    given = _groups(str(rng.choice(region.women if sex == "F" else region.men)))
    staff = [f"{_latin(rng, region.families)}^{_latin(rng, region.men)}" for _ in range(3)]
    birth = date(int(rng.integers(1936, 1990)), 1, 1) + timedelta(days=int(rng.integers(0, 365)))
    digits = f"{number:04d}{int(rng.integers(1000, 9999))}"
    return Identity(
        number=number,
        region=region,
        family=family,
        given=given,
        patient_id=f"{'00' if number % 5 == 0 else ''}{digits[::-1]}",
        issuer=f"HIS-{region.name.upper()}",
        birth_date=birth,
        sex=sex,
        other_id=f"X{int(rng.integers(10**6, 10**7))}-{number}",
        address=str(rng.choice(region.cities)),
        phone=f"{region.dialing_code} {int(rng.integers(200, 999))} {int(rng.integers(10**5, 10**6))}",
        hospital=str(rng.choice(region.hospitals)),
        physician=staff[0],
        radiologist=staff[1],
        operator=staff[2],
        station=f"{region.name[:3].upper()}CT{number % 7:02d}",
        serial_number=f"SN{int(rng.integers(10**5, 10**6))}",
        ward=f"Station {int(rng.integers(1, 9))}{'AB'[number % 2]}",
    )


def write_dates(day: date) -> tuple[str, ...]:
    """Notations of a date that files and images hold."""
    return tuple(day.strftime(form) for form in ("%Y%m%d", "%d.%m.%Y", "%Y-%m-%d", "%m/%d/%Y"))


def to_ascii(text: str) -> str:
    """Text without accents, Cyrillic and Greek letters transliterated."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    lower = plain.lower().translate(_CYRILLIC_GREEK)
    if lower.isascii() and len(lower) == len(plain):
        return "".join(c.upper() if old.isupper() else c for c, old in zip(lower, plain, strict=True))
    words = "".join(
        letter.lower().translate(_CYRILLIC_GREEK).capitalize()
        if letter.isupper()
        else letter.translate(_CYRILLIC_GREEK)
        for letter in plain
    )
    return words.encode("ascii", "ignore").decode()


def _groups(name: str) -> tuple[str, ...]:
    return tuple(name.split("="))


def _latin(rng: np.random.Generator, names: tuple[str, ...]) -> str:
    return to_ascii(str(rng.choice(names)).split("=")[0])
