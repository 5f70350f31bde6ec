"""Every registered reader keeps the contract, on a tiny file of its format."""

import pytest

from firstread.core.registry import find_registered, registered

from .reader_contract import check_agreement, check_broken_files, check_frames_that_are_not_there, check_functions
from .tiny_files import make_tiny_file

KINDS = sorted(registered("readers"))


@pytest.mark.parametrize("kind", KINDS)
def test_header_pictures_and_volume_agree(kind, tmp_path):
    check_functions(find_registered("readers", kind))
    check_agreement(kind, make_tiny_file(kind, tmp_path))


@pytest.mark.parametrize("kind", KINDS)
def test_a_frame_that_is_not_there_is_refused(kind, tmp_path):
    check_frames_that_are_not_there(make_tiny_file(kind, tmp_path))


@pytest.mark.parametrize("kind", KINDS)
def test_cut_and_empty_files_are_refused(kind, tmp_path):
    check_broken_files(make_tiny_file(kind, tmp_path))
