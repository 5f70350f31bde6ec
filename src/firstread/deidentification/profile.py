"""De-identification profile: the basic profile of DICOM PS3.15 Annex E and its options."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from firstread.core.errors import SettingError, suggest

#: option -> code and meaning in CID 7050
OPTION_CODES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "clean_pixel_data": ("113101", "Clean Pixel Data Option"),
        "clean_recognizable_visual_features": ("113102", "Clean Recognizable Visual Features Option"),
        "clean_graphics": ("113103", "Clean Graphics Option"),
        "clean_structured_content": ("113104", "Clean Structured Content Option"),
        "clean_descriptors": ("113105", "Clean Descriptors Option"),
        "retain_full_dates": ("113106", "Retain Longitudinal Temporal Information Full Dates Option"),
        "retain_modified_dates": ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
        "retain_patient_characteristics": ("113108", "Retain Patient Characteristics Option"),
        "retain_device_identity": ("113109", "Retain Device Identity Option"),
        "retain_uids": ("113110", "Retain UIDs Option"),
        "retain_safe_private": ("113111", "Retain Safe Private Option"),
        "retain_institution_identity": ("113112", "Retain Institution Identity Option"),
    }
)
BASIC_PROFILE_CODE = ("113100", "Basic Application Confidentiality Profile")
DEFAULT_OPTIONS = frozenset({"retain_modified_dates", "retain_patient_characteristics", "clean_descriptors"})


@dataclass(frozen=True)
class Profile:
    """The basic profile of PS3.15 with options of its section E.3.

    Args:
        options: names as in `OPTION_CODES`. By default dates are shifted by a number of days of each patient's own,
            age, sex, size and weight stay (ages over 89 become 90), and descriptions stay without identity values.
            `clean_pixel_data` searches pixels for text and blacks it (the extra `pixels`);
            with `clean_recognizable_visual_features` heads in CT and MR are held back, since no face is removed here.
        reviewed: review classes (`review_class`) whose sheets a person has looked at and said yes to: with
            `clean_pixel_data` their images are cleaned and no longer wait.

    Raises:
        SettingError: an option that does not exist, or full and modified dates at once.

    Example:
        >>> sorted(Profile().options)
        ['clean_descriptors', 'retain_modified_dates', 'retain_patient_characteristics']
        >>> Profile.basic().codes()
        (('113100', 'Basic Application Confidentiality Profile'),)
    """

    options: frozenset[str] = DEFAULT_OPTIONS
    reviewed: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", frozenset(self.options))
        object.__setattr__(self, "reviewed", frozenset(self.reviewed))
        for option in sorted(self.options - OPTION_CODES.keys()):
            raise SettingError(f'There is no option "{option}" of de-identification.{suggest(option, OPTION_CODES)}')
        if {"retain_full_dates", "retain_modified_dates"} <= self.options:
            raise SettingError(
                "Dates cannot be kept and shifted at once", do="choose retain_full_dates or retain_modified_dates"
            )

    @classmethod
    def basic(cls) -> "Profile":
        """The basic profile without any option: all that may identify goes, dates included."""
        return cls(frozenset())

    def __contains__(self, option: str) -> bool:
        return option in self.options

    def with_options(self, *options: str) -> "Profile":
        """This profile and further options."""
        return Profile(self.options | set(options), self.reviewed)

    def without_options(self, *options: str) -> "Profile":
        """This profile without some of its options."""
        return Profile(self.options - set(options), self.reviewed)

    def codes(self) -> tuple[tuple[str, str], ...]:
        """Code and meaning (CID 7050) of the profile and of each option, for DeidentificationMethodCodeSequence."""
        return (BASIC_PROFILE_CODE, *sorted(OPTION_CODES[option] for option in self.options))

    def temporal_information(self) -> str:
        """Value of LongitudinalTemporalInformationModified."""
        if "retain_full_dates" in self:
            return "UNMODIFIED"
        return "MODIFIED" if "retain_modified_dates" in self else "REMOVED"
