"""Readers of PNG, JPEG, TIFF, BMP, GIF, WebP, DICOM and NIfTI files, registered as `firstread.readers`."""
