"""DICOM headers and pseudonyms; pixel data are decoded in `firstread.readers`."""
