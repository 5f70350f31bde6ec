"""De-identification of DICOM: rules of PS3.15 Annex E, pseudonyms from one secret, verification of what came out."""

from firstread.deidentification.dataset_deidentifier import Deidentified, deidentify_dataset
from firstread.deidentification.deidentification_result import Deidentification, HeldFile
from firstread.deidentification.file_deidentifier import FileResult, deidentify_file, deidentify_shard
from firstread.deidentification.folder_deidentifier import deidentify
from firstread.deidentification.identity import Identity
from firstread.deidentification.identity_index import IdentityIndex, gather_identities
from firstread.deidentification.pixel_cleaner import CleanedPixels, clean_pixels
from firstread.deidentification.pixel_review import write_review_sheets
from firstread.deidentification.profile import Profile
from firstread.deidentification.pseudonym_keys import PseudonymKeys
from firstread.deidentification.review_class import review_class
from firstread.deidentification.verification import Finding, Verification, verify

__all__ = [
    "CleanedPixels",
    "Deidentification",
    "Deidentified",
    "FileResult",
    "Finding",
    "HeldFile",
    "Identity",
    "IdentityIndex",
    "Profile",
    "PseudonymKeys",
    "Verification",
    "clean_pixels",
    "deidentify",
    "deidentify_dataset",
    "deidentify_file",
    "deidentify_shard",
    "gather_identities",
    "review_class",
    "verify",
    "write_review_sheets",
]
