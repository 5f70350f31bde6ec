"""Documents of a phantom archive: a letter as encapsulated PDF with the name on page 2, and a CDA."""

from collections.abc import Sequence
from xml.etree import ElementTree

from pydicom.uid import EncapsulatedCDAStorage, EncapsulatedPDFStorage

from firstread.phantoms.archive.header_modules import add_instance, make_code, start_dataset
from firstread.phantoms.archive.studies import Instance, Study
from firstread.phantoms.archive.truth import Action, Stack

_NOTE = "case 19: documents are held back (PS3.15 names no rule for their content)"


def add_pdf(study: Study, report: str) -> Instance:
    """Add a letter as encapsulated PDF (PS3.3 A.45.1): a cover page without a name, the report on page 2."""
    pages = [["Radiology department", "Letter to the referring physician", "2 pages"], report.splitlines()]
    instance = _add(study, EncapsulatedPDFStorage, "application/pdf", make_pdf(pages), "Arztbrief")
    return instance


def add_cda(study: Study, report: str) -> Instance:
    """Add a report as encapsulated Clinical Document Architecture (PS3.3 A.45.2)."""
    return _add(study, EncapsulatedCDAStorage, "text/XML", make_cda(study, report), "Befund CDA")


def make_pdf(pages: Sequence[Sequence[str]]) -> bytes:
    """A PDF 1.4 of lines of text in Helvetica, uncompressed, without a date (ISO 32000-1, 7.5).

    Example:
        >>> make_pdf([["first page"], ["Hans Ostermann"]]).count(b"/Type /Page ")
        2
    """
    kids = " ".join(f"{4 + 2 * index} 0 R" for index in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for index, lines in enumerate(pages):
        text = b" ".join(b"(" + _escape(line) + b") Tj T*" for line in lines)
        stream = b"BT /F1 11 Tf 14 TL 60 780 Td " + text + b" ET"
        page = f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {5 + 2 * index} 0 R "
        objects.append((page + "/Resources << /Font << /F1 3 0 R >> >> >>").encode())
        objects.append(f"<< /Length {len(stream)} >>\nstream\n".encode() + stream + b"\nendstream")
    out, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    head = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
    tail = f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(out)}\n%%EOF\n"
    return out + (head + tail).encode()


def make_cda(study: Study, report: str) -> bytes:
    """A minimal clinical document (HL7 CDA R2): who, when, and the report."""
    who = study.identity
    root = ElementTree.Element("ClinicalDocument", xmlns="urn:hl7-org:v3")
    ElementTree.SubElement(root, "id", root=study.make_uid("cda"))
    ElementTree.SubElement(root, "title").text = "Radiology report"
    ElementTree.SubElement(root, "effectiveTime", value=study.when.strftime("%Y%m%d%H%M%S"))
    target = ElementTree.SubElement(ElementTree.SubElement(root, "recordTarget"), "patientRole")
    ElementTree.SubElement(target, "id", extension=who.patient_id)
    ElementTree.SubElement(target, "addr").text = who.address
    name = ElementTree.SubElement(ElementTree.SubElement(target, "patient"), "name")
    ElementTree.SubElement(name, "given").text = who.given[0]
    ElementTree.SubElement(name, "family").text = who.family[0]
    ElementTree.SubElement(ElementTree.SubElement(root, "component"), "text").text = report
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)


def _add(study: Study, sop_class: str, mime_type: str, document: bytes, title: str) -> Instance:
    series = study.open_series("DOC", title)
    dataset = start_dataset(study, series, sop_class=sop_class)
    dataset.ConversionType = "WSD"
    dataset.BurnedInAnnotation = "YES"
    dataset.DocumentTitle = f"{title} {study.identity.latin_family} {study.when:%d.%m.%Y}"
    dataset.AcquisitionDateTime = study.when.strftime("%Y%m%d%H%M%S")
    dataset.ConceptNameCodeSequence = [make_code("11528-7", "LN", "Radiology Report")]
    dataset.MIMETypeOfEncapsulatedDocument = mime_type
    if mime_type == "text/XML":
        dataset.HL7InstanceIdentifier = f"{study.make_uid('cda')}"
    dataset.EncapsulatedDocumentLength = len(document)
    dataset.EncapsulatedDocument = document + b"\0" * (len(document) % 2)
    instance = add_instance(series, dataset, study, number=1)
    instance.needs_person = True
    instance.actions += _document_actions(study, document)
    series.stacks.append(Stack("document", sop_instance_uids=(str(instance.dataset.SOPInstanceUID),)))
    return instance


def _document_actions(study: Study, document: bytes) -> list[Action]:
    """Identity values that stand in the document's bytes."""
    text = document.decode("utf-8" if document.startswith(b"<?xml") else "cp1252")
    values = [value.value for value in study.identity.values()] + [study.accession]
    return [
        Action("(0042,0011)", "EncapsulatedDocument", "text_removed", value, note=_NOTE)
        for value in dict.fromkeys(values)
        if value in text
    ]


def _escape(line: str) -> bytes:
    plain = line.encode("cp1252", "replace")
    return plain.replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")
