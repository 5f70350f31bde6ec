"""Data sets whose copies share their elements: a series' header is made once, not once an image."""

from typing import Any

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset


class TemplateDataset(Dataset):
    """A data set that replaces an element where pydicom's would change it, so that copies may share elements.

    Example:
        >>> template = TemplateDataset()
        >>> template.SeriesNumber = 1
        >>> other = template.branch()
        >>> other.SeriesNumber = 2
        >>> int(template.SeriesNumber)
        1
    """

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an element by its keyword, as a new element."""
        tag = tag_for_keyword(name) if name[:1].isupper() else None
        if tag is None:
            super().__setattr__(name, value)
        else:
            self[tag] = DataElement(tag, dictionary_VR(tag), value)

    def branch(self) -> "TemplateDataset":
        """A copy that shares the elements; what is set in one is not set in the other."""
        return TemplateDataset(dict(self._dict))
