"""Readers of image files: PNG, JPEG, TIFF, BMP, GIF, WebP, DICOM and NIfTI to pixels, registered as `firstread.readers`."""
