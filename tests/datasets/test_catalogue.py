"""Every named data set says where it comes from and under what licence."""

import pytest

from firstread.core.errors import SettingError
from firstread.datasets.catalogue import CATALOGUE, find_named_dataset


@pytest.mark.parametrize("name", CATALOGUE)
def test_origin_is_complete(name):
    entry = find_named_dataset(name)
    assert entry.origin.name == entry.name == name
    assert entry.origin.description
    assert entry.origin.license
    assert entry.origin.citation
    assert len(entry.classes) == len(set(entry.classes)) != 1  # none for a segmentation
    assert bool(entry.factory) != bool(entry.urls)
    assert set(entry.urls) == set(entry.checksums)
    assert set(entry.class_folders.values()) in (set(), set(entry.classes))


def test_an_unknown_name_lists_what_there_is():
    with pytest.raises(SettingError, match="There is: hello-world, mednist"):
        find_named_dataset("zzz")
