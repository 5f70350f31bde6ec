"""A 12-lead electrocardiogram of an invented patient, with an annotation that names the physician."""

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import TwelveLeadECGWaveformStorage

from firstread.phantoms.archive.header_modules import add_instance, make_code, split_time, start_dataset
from firstread.phantoms.archive.studies import Instance, Study
from firstread.phantoms.archive.truth import Stack

_LEADS = {
    "I": ("2:1", 0.8),
    "II": ("2:2", 1.0),
    "III": ("2:61", 0.5),
    "aVR": ("2:62", -0.9),
    "aVL": ("2:63", 0.3),
    "aVF": ("2:64", 0.7),
    "V1": ("2:3", -0.5),
    "V2": ("2:4", -0.2),
    "V3": ("2:5", 0.4),
    "V4": ("2:6", 1.2),
    "V5": ("2:7", 1.1),
    "V6": ("2:8", 0.9),
}
RATE_HZ, SECONDS = 250, 8


def add_electrocardiogram(study: Study) -> Instance:
    """Add a 12-lead ECG as a series of one file (PS3.3 A.34.3)."""
    series = study.open_series("ECG", "Ruhe-EKG")
    dataset = start_dataset(study, series, sop_class=TwelveLeadECGWaveformStorage)
    dataset.AcquisitionDateTime = study.when.strftime("%Y%m%d%H%M%S")
    dataset.AcquisitionContextSequence = []
    dataset.WaveformSequence = [_waveform(study)]
    dataset.WaveformAnnotationSequence = [_annotation(study)]
    instance = add_instance(series, dataset, study, number=1)
    instance.dataset.ContentDate, instance.dataset.ContentTime = split_time(study.when)
    instance.cases["(0040,b020)"] = "case 19: free text of a waveform's annotation"
    instance.needs_person = True
    series.stacks.append(Stack("waveform", sop_instance_uids=(str(instance.dataset.SOPInstanceUID),)))
    return instance


def simulate_leads(rng: np.random.Generator) -> np.ndarray:
    """Simulate P, QRS and T waves with noise: int16 (samples, leads) in microvolts."""
    seconds = np.arange(RATE_HZ * SECONDS) / RATE_HZ
    beat = rng.uniform(0.7, 1.0)
    phase = np.mod(seconds, beat) - 0.3
    waves = ((-0.16, 0.025, 120), (-0.025, 0.008, -90), (0.0, 0.010, 1000), (0.028, 0.009, -220), (0.24, 0.045, 260))
    shape = np.sum([height * np.exp(-(((phase - at) / width) ** 2)) for at, width, height in waves], axis=0)
    gains = np.array([gain for _, gain in _LEADS.values()])
    return np.rint(shape[:, None] * gains + rng.normal(0, 8, (len(seconds), len(gains)))).astype("<i2")


def _waveform(study: Study) -> Dataset:
    item = Dataset()
    item.WaveformOriginality, item.NumberOfWaveformChannels = "ORIGINAL", len(_LEADS)
    samples = simulate_leads(study.random("ecg"))
    item.NumberOfWaveformSamples, item.SamplingFrequency = len(samples), RATE_HZ
    item.MultiplexGroupLabel = "RHYTHM"
    item.ChannelDefinitionSequence = [_channel(name, code) for name, (code, _) in _LEADS.items()]
    item.WaveformBitsAllocated, item.WaveformSampleInterpretation = 16, "SS"
    item.WaveformData = samples.tobytes()
    item["WaveformData"].VR = "OW"
    return item


def _channel(name: str, code: str) -> Dataset:
    channel = Dataset()
    channel.ChannelSourceSequence = [make_code(code, "MDC", f"Lead {name}")]
    channel.ChannelSensitivity, channel.ChannelSensitivityCorrectionFactor, channel.ChannelBaseline = 1, 1, 0
    channel.ChannelSensitivityUnitsSequence = [make_code("uV", "UCUM", "microvolt")]
    channel.ChannelSampleSkew, channel.WaveformBitsStored = 0, 16
    return channel


def _annotation(study: Study) -> Dataset:
    item = Dataset()
    item.UnformattedTextValue = f"Sinus rhythm. Dr {study.identity.physician.split('^')[0]}, {study.when:%d.%m.%Y}"
    item.ReferencedWaveformChannels, item.AnnotationGroupNumber = [1, 0], 1
    return item
