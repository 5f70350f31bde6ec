"""Captured screens of a phantom archive: the dose screen of a CT, a photographed report, a scanned request form."""

import numpy as np
from pydicom.uid import SecondaryCaptureImageStorage

from firstread.phantoms.archive.drawn_text import TextLine, draw_line, text_actions
from firstread.phantoms.archive.header_modules import add_instance, split_time, start_dataset
from firstread.phantoms.archive.pixel_data import set_pixels
from firstread.phantoms.archive.studies import Instance, Study
from firstread.phantoms.archive.template_dataset import TemplateDataset
from firstread.phantoms.archive.truth import Stack


def add_dose_screen(study: Study, *, note: str) -> Instance:
    """Add the dose page that a CT sends behind its images: names and numbers in white on black."""
    series = study.open_series("CT", "Patient Protocol")
    template = start_dataset(study, series, sop_class=SecondaryCaptureImageStorage)
    template.ImageType = ["DERIVED", "SECONDARY", "SCREEN SAVE"]
    who = study.identity
    name = f"{who.latin_family.upper()}^{who.latin_given.upper()}"
    head = [
        f"{study.when:%d.%m.%Y %H:%M}   {name}   {who.birth_date:%d.%m.%Y}",
        f"Ward: {who.ward}   Physician: {who.physician.replace('^', ' ')}",
        f"ID: {who.patient_id}   Accession: {study.accession}",
    ]
    table = [
        "Total mAs 8421     Total DLP 612 mGycm",
        "Scan     kV   mAs / ref.   CTDIvol   DLP    TI   cSL",
        "Topo    120      35 mA       0.12      5   3.1   0.6",
        "nativ   120   182 / 210      7.41    198   0.5   0.6",
        "art     120   184 / 210      7.52    201   0.5   0.6",
        "ven     120   190 / 210      7.70    208   0.5   0.6",
    ]
    pixels = np.zeros((1, 400, 512), np.float32)
    lines = [TextLine(text, font="DejaVuSansMono", size_px=12) for text in head]
    lines += [TextLine(text, secret=False, font="DejaVuSansMono", size_px=12) for text in table]
    return _finish(study, template, pixels, lines, note=note)


def add_screenshot(study: Study, photograph: np.ndarray, *, lines: tuple[TextLine, ...], note: str) -> Instance:
    """Add a picture of a workstation's screen: (rows, columns) gray values of an image with text over it, as RGB."""
    series = study.open_series("OT", "Screenshot")
    template = start_dataset(study, series, sop_class=SecondaryCaptureImageStorage)
    template.ImageType = ["DERIVED", "SECONDARY"]
    pixels = np.full((1, 420, 560, 3), 46.0, np.float32)
    rows, columns = photograph.shape
    pixels[0, 40 : 40 + rows, 20 : 20 + columns] = photograph[..., None]
    pixels[0, :28] = (58, 84, 122)
    pixels[0, 60:400, 430:545] = 70.0
    return _finish(study, template, pixels, list(lines), note=note)


def _finish(
    study: Study, template: TemplateDataset, pixels: np.ndarray, lines: list[TextLine], *, note: str
) -> Instance:
    series = study.series[-1]
    template.ConversionType, template.BodyPartExamined = "WSD", "ABDOMEN"
    template.PatientOrientation = []
    template.DateOfSecondaryCapture, template.TimeOfSecondaryCapture = split_time(study.when)
    instance = add_instance(series, template, study, number=1)
    top = 8
    for line in lines:
        box = draw_line(pixels, line, corner=(top, 12))
        instance.actions += text_actions(line, box, note=note)
        top = box[2] + 10
    shown = np.rint(np.clip(pixels, 0, 255)).astype(np.uint8)
    set_pixels(instance, shown, "RGB" if shown.ndim == 4 else "MONOCHROME2")
    instance.needs_person = True
    series.stacks.append(Stack("screenshot", sop_instance_uids=(str(instance.dataset.SOPInstanceUID),)))
    return instance
