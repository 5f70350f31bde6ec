"""Readers of image files: PNG, JPEG, TIFF, BMP, DICOM and NIfTI to pixels, registered as `firstread.readers`."""
