"""Experiment groups of a lesson: which one a learner was drawn into, which one they run, and all of them beside it."""

import json
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

from firstread.core.errors import SettingError
from firstread.core.files import read_json, write_json
from firstread.core.paths import runs_folder
from firstread.lessons.notes import Note, NotYetError

if TYPE_CHECKING:
    from firstread.core.cohort import Cohort
    from firstread.core.predictions import Predictions
    from firstread.learning.augmentation import Augmentation


@dataclass(frozen=True)
class Group:
    """The group that a learner runs.

    Attributes:
        arms: experiment -> group, as it is really run, such as {"augmentation": "on", "dropout": "off"}.
        assigned: the same as it was drawn.
        recipe: the lesson's training settings.
    """

    arms: dict[str, str]
    assigned: dict[str, str]
    recipe: Mapping[str, Any]

    @property
    def augmentation(self) -> "Augmentation | None":
        """The lesson's augmentation; None where the group has it off."""
        return make_augmentation(self.recipe) if self.arms.get("augmentation") == "on" else None

    @property
    def dropout(self) -> float:
        """The lesson's dropout; 0 where the group has it off."""
        return float(self.recipe["dropout"]) if self.arms.get("dropout") == "on" else 0.0

    @property
    def note(self) -> Note:
        """Whether it is the group that the learner was drawn into."""
        runs = ", ".join(f"{name} {value}" for name, value in self.arms.items())
        if self.arms == self.assigned:
            return Note(f"Success! You run the group that you were drawn into: {runs}.", good=True)
        return Note(f"Success! You run {runs}: another group than the one you were drawn into. Both are recorded.")

    def __repr__(self) -> str:
        return self.note.text

    def _repr_html_(self) -> str:
        return self.note._repr_html_()


def make_group(arms: Mapping[str, Sequence[str]], chosen: Mapping[str, str], recipe: Mapping[str, Any]) -> Group:
    """The group that a learner typed.

    Args:
        arms: experiment -> its groups.
        chosen: experiment -> what the learner typed.
        recipe: the lesson's training settings.

    Raises:
        NotYetError: something else than a group was typed.
    """
    typed = {name: str(value).strip().strip("\"'").lower() for name, value in chosen.items()}
    for name, value in typed.items():
        if value not in arms.get(name, ()):
            choices = " or ".join(f'"{choice}"' for choice in arms.get(name, ()))
            raise NotYetError(
                f'Not yet: {name.upper()} is "{chosen[name]}"',
                expected=choices,
                do=f"type {choices} in the cell above, between quotation marks, run it, then run this cell again",
            )
    return Group(typed, {name: arm(name, tuple(arms[name])) for name in typed}, recipe)


def make_augmentation(recipe: Mapping[str, Any]) -> "Augmentation":
    """The lesson's augmentation."""
    from firstread.learning.augmentation import Augmentation

    return Augmentation(**recipe["augmentation"])


def train_all_groups(
    cohort: "Cohort", held_out: "Cohort", *, arms: Mapping[str, Sequence[str]], recipe: Mapping[str, Any], seed: int
) -> "dict[str, Predictions]":
    """Train a network for each group, with the same images and the same seed; name of the group -> its predictions."""
    from firstread.learning.models import build_model
    from firstread.learning.prediction import predict
    from firstread.learning.training import train

    results = {}
    network = {name: recipe[name] for name in ("backbone", "size", "weights")}
    for values in product(*arms.values()):
        chosen = dict(zip(arms, values, strict=True))
        group = Group(chosen, chosen, recipe)
        model = build_model(classes=cohort.classes, dropout=group.dropout, seed=seed, **network)
        kept: dict[str, Any] = {"augmentation": group.augmentation, "arms": chosen, "seed": seed, "checkpoints": False}
        first = train(model, cohort, freeze=True, **recipe["frozen"], **kept)
        train(model, cohort, resume=first, **recipe["unfrozen"], **kept)
        results[", ".join(f"{name} {value}" for name, value in chosen.items())] = predict(model, held_out)
    return results


def arm(name: str, choices: tuple[str, ...] = ("on", "off")) -> str:
    """Experiment group of this learner: assigned by the class, or, outside a class, drawn by seed.

    Args:
        name: of the experiment, such as "augmentation".
        choices: names of the groups.

    Example:
        >>> fr.arm("augmentation") in ("on", "off")
        True
    """
    try:
        assigned = json.loads(os.environ.get("FIRSTREAD_ARMS", "{}")).get(name)
    except (ValueError, AttributeError):
        assigned = None
    return assigned if assigned in choices else draw_arm(name, choices, seed=learner_seed())


def draw_arm(name: str, choices: Any, *, seed: int) -> str:
    """Draw an experiment group reproducibly from name and seed; uniform over seeds, independent between names."""
    import numpy as np

    return str(np.random.default_rng([seed, *name.encode()]).choice(list(choices)))


def learner_seed() -> int:
    """Seed from FIRSTREAD_SEED, or one drawn once for this learner and stored.

    Raises:
        SettingError: FIRSTREAD_SEED is not a whole number.
    """
    given = os.environ.get("FIRSTREAD_SEED")
    if given is not None:
        try:
            return int(given)
        except ValueError as error:
            raise SettingError("FIRSTREAD_SEED is not a whole number", where="environment") from error
    file = runs_folder() / "learner.json"
    if not file.exists():
        write_json(file, {"seed": secrets.randbelow(1_000_000)})
    return int(read_json(file)["seed"])
