"""RunRecord: the run of a training while it goes on, with its history, messages, checkpoints and run.json."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from firstread.core.run import Run
from firstread.learning.checkpoints import load_checkpoint, restore_weights, save_checkpoint
from firstread.learning.epoch_snapshot import copy_to_main_memory
from firstread.learning.fingerprints import weights_fingerprint
from firstread.learning.models.protocol import Model
from firstread.learning.runs import log_message
from firstread.learning.settings import TrainingSettings


class RunRecord:
    """Keeps what a training has done, in memory and in the run's folder.

    Args:
        run: its history is continued.
        settings: of the training; without `checkpoints` no file is written.
        writes: whether this process writes the files, of several that train one network.
    """

    def __init__(self, run: Run, settings: TrainingSettings, *, writes: bool) -> None:
        self.run, self._settings = run, settings
        self._writes = writes and settings.checkpoints
        self._best_weights: dict[str, torch.Tensor] = {}

    @property
    def own_history(self) -> list[dict[str, Any]]:
        """Rows of this run's epochs, without those of its parents."""
        return self.run.history[self.run.epochs_before :]

    def log(self, message: str) -> None:
        """Keep a message with the run, and print it."""
        self.run.metadata.setdefault("messages", []).append(message)
        if not self._settings.quiet:
            log_message(message)

    def add_epoch(
        self,
        row: dict[str, Any],
        model: Model,
        *,
        optimizer: torch.optim.Optimizer,
        generators: Mapping[str, torch.Tensor],
        epochs_done: int,
        best: bool,
    ) -> None:
        """Append an epoch to the history, and write the checkpoint.

        Args:
            row: of the history.
            model: the network after the epoch.
            optimizer: its state is kept.
            generators: name -> state of a random generator.
            epochs_done: epochs of this call of `train`.
            best: whether its validation loss is the lowest of this call.
        """
        self.run = replace(self.run, history=[*self.run.history, row])
        if best and self._settings.patience and not self._settings.checkpoints:
            self._best_weights = copy_to_main_memory(model.state_dict(), reuse=self._best_weights)
        if self._writes:
            save_checkpoint(
                self.run.folder / "last.safetensors",
                model,
                optimizer=optimizer,
                generators=dict(generators),
                progress={"done": epochs_done, "history": self.run.history, "settings": self.run.settings},
            )
            if best:
                model.save(self.run.folder / "best.safetensors")
        self.save()

    def restore_best_epoch(self, model: Model) -> None:
        """Give the network the weights of the epoch with the lowest validation loss of this run."""
        losses = [row["validation_loss"] for row in self.own_history]
        file = self.run.folder / "best.safetensors"
        if not losses or (self._settings.checkpoints and not file.exists()):
            return
        restore_weights(model, load_checkpoint(file)[0] if self._settings.checkpoints else self._best_weights)
        epoch = self.run.epochs_before + 1 + int(np.argmin(losses))
        self.run.metadata["kept_epoch"] = epoch
        if epoch != self.run.epochs:
            self.log(
                f"The network is that of epoch {epoch} of {self.run.epochs}, whose validation loss was lowest; "
                "train(..., resume=run) goes on from it."
            )

    def interrupt(self) -> None:
        """Keep the whole epochs; without one, say so and stop what would have gone on.

        Raises:
            KeyboardInterrupt: no epoch of this run is whole.
        """
        self.run.metadata["interrupted"] = True
        if not self.own_history:
            self.save()
            raise KeyboardInterrupt(
                "Interrupted before the first epoch was whole: the network is as it was before. Run the cell again to "
                "train it."
            ) from None
        self.log(
            f"Interrupted. {self.run.epochs} epochs are kept; train(..., resume=run) goes on from there"
            + (", and so does continue_training(folder)." if self._settings.checkpoints else ".")
        )

    def finish(self, model: Model) -> Run:
        """The run at its end, saved with the fingerprint of the network's weights."""
        self._best_weights = {}
        if not self.run.metadata.get("interrupted"):
            self.run.metadata["finished"] = True
        self.run.fingerprints["weights"] = weights_fingerprint(model)  # type: ignore[arg-type]
        self.save()
        return self.run

    def save(self) -> None:
        """Write run.json."""
        if self._writes:
            self.run.save()
