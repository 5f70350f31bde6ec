"""De-identification of DICOM: rules of PS3.15 Annex E, pseudonyms, pixels, audit, verification."""
