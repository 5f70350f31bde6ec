"""Firstread: from "Hello, World!" to a deep-learning model on real medical images.

    import firstread as fr

    cohort = fr.open_dataset("hello-world")
    model = fr.build_model("resnet18", classes=cohort.classes)
    run = fr.train(model, cohort, epochs=5)
    fr.evaluate(fr.predict(model, cohort.test)).show()

For teaching and research. Firstread is not a medical device.

Names are imported when they are first used, so that `import firstread` stays light and needs no torch.
"""

from importlib import import_module
from typing import Any

from firstread.core.version import package_version
from firstread.core.wait_policy import let_threads_sleep

let_threads_sleep()  # before anything loads PyTorch

__version__ = package_version()

#: public name -> its module; everything that `import firstread as fr` offers
_PUBLIC_NAMES = {
    "Cohort": "firstread.core.cohort",
    "Case": "firstread.core.case",
    "Augmentation": "firstread.learning.augmentation",
    "open_dataset": "firstread.datasets.dataset",
    "simulate_patients": "firstread.phantoms.patients",
    "read_dicom": "firstread.readers.dicom_pixels",
    "deidentify": "firstread.deidentification.folder_deidentifier",
    "check_data": "firstread.curation.data_check",
    "split_by_patient": "firstread.core.splits",
    "build_model": "firstread.learning.models",
    "train": "firstread.learning.training",
    "find_learning_rate": "firstread.learning.learning_rate_finder",
    "predict": "firstread.learning.prediction",
    "evaluate": "firstread.evaluation.evaluation",
    "compare": "firstread.evaluation.comparison",
    "sample_size": "firstread.evaluation.sample_size",
    "explain": "firstread.explanation.saliency",
    "sanity_check": "firstread.explanation.sanity_check",
    "write_report": "firstread.explanation.model_report",
    "Project": "firstread.project.project",
    "arm": "firstread.lessons",
    "lesson": "firstread.lessons",
    "show_images": "firstread.core.figures",
}

__all__ = ["__version__", *_PUBLIC_NAMES]  # noqa: PLE0604 - the names are strings


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC_NAMES:
        from firstread.core.errors import suggest

        raise AttributeError(f"firstread has no '{name}'.{suggest(name, _PUBLIC_NAMES)}")
    module = import_module(_PUBLIC_NAMES[name])
    value = getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
