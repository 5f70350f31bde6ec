"""Which elements of a header must go, stay or hold a value, by keyword."""

from collections.abc import Mapping

#: options of PS3.15 that a row may depend on
DESCRIPTORS, DATES, CHARACTERISTICS, STRUCTURED = (
    "clean descriptors",
    "retain longitudinal temporal information with modified dates",
    "retain patient characteristics",
    "clean structured content",
)

#: elements whose text must go, by keyword; names (PN), UIDs and dates are known by their VR
REMOVED = frozenset(
    [
        "AccessionNumber",
        "InstitutionName",
        "InstitutionAddress",
        "InstitutionalDepartmentName",
        "StationName",
        "StudyID",
        "DeviceSerialNumber",
        "OtherPatientIDs",
        "PatientAddress",
        "PatientTelephoneNumbers",
        "EthnicGroup",
        "Occupation",
        "AdditionalPatientHistory",
        "PatientComments",
        "CurrentPatientLocation",
        "PatientInstitutionResidence",
        "IssuerOfPatientID",
        "AdmissionID",
        "PatientBirthDateInAlternativeCalendar",
        "PatientBirthTime",
        "PatientReligiousPreference",
        "MilitaryRank",
        "RequestingService",
        "RequestedProcedureID",
        "ScheduledProcedureStepID",
        "PerformedProcedureStepID",
        "PerformedLocation",
        "PerformedStationName",
        "PerformedStationAETitle",
        "PersonIdentificationCodeSequence",
        "MedicalRecordLocator",
        "CountryOfResidence",
        "InterpretationText",
        "UnformattedTextValue",
        "OverlayComments",
    ]
)
#: keyword -> option under which its text is kept ("" is always)
RETAINED: Mapping[str, str] = {
    **dict.fromkeys(
        [
            "Modality",
            "ImageType",
            "Rows",
            "Columns",
            "BitsStored",
            "PhotometricInterpretation",
            "PixelSpacing",
            "ImagerPixelSpacing",
            "SliceThickness",
            "KVP",
            "ImageOrientationPatient",
            "ImagePositionPatient",
            "RescaleSlope",
            "RescaleIntercept",
            "SeriesNumber",
            "InstanceNumber",
            "BodyPartExamined",
            "PatientPosition",
            "Manufacturer",
            "EchoTime",
            "RepetitionTime",
            "NumberOfFrames",
            "SOPClassUID",
            "Laterality",
            "ImageLaterality",
            "ViewPosition",
            "PatientOrientation",
            "AcquisitionNumber",
            "SegmentLabel",
        ],
        "",
    ),
    **dict.fromkeys(("PatientSex", "PatientAge", "PatientWeight", "PatientSize"), CHARACTERISTICS),
    **dict.fromkeys(
        ("StudyTime", "SeriesTime", "AcquisitionTime", "ContentTime", "TimezoneOffsetFromUTC"),
        DATES,
    ),
}
#: keyword -> option under which words that name nobody stay
DESCRIPTOR_KEYWORDS: Mapping[str, str] = {
    **dict.fromkeys(
        [
            "StudyDescription",
            "SeriesDescription",
            "ProtocolName",
            "ImageComments",
            "DerivationDescription",
            "RequestedProcedureDescription",
            "PerformedProcedureStepDescription",
            "ReasonForStudy",
            "AdmittingDiagnosesDescription",
            "ContrastBolusAgent",
            "AcquisitionProtocolDescription",
        ],
        DESCRIPTORS,
    ),
    "TextValue": STRUCTURED,
}
NOT_NULL = frozenset(
    ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "Modality", "SOPClassUID")
)
#: sequences that the Basic Profile removes whole under every option: nothing in them can be shifted
REMOVED_SEQUENCES = ("(0400,0561)",)
SCOPES = {"StudyInstanceUID": "study", "SeriesInstanceUID": "series", "PatientID": "patient"}

#: elements without which an object is not what it was
STRUCTURE = frozenset(
    (
        "PixelData",
        "SequenceOfUltrasoundRegions",
        "SharedFunctionalGroupsSequence",
        "PerFrameFunctionalGroupsSequence",
        "SegmentSequence",
        "ROIContourSequence",
        "WaveformSequence",
    )
)
