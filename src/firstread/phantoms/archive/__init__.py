"""Phantom archive: invented patients of a whole radiology department as DICOM files, with an exact truth."""

from firstread.phantoms.archive.archive_settings import FAULT_RATES
from firstread.phantoms.archive.writer import write_archive

__all__ = ["FAULT_RATES", "write_archive"]
