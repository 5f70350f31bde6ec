"""The learner's own reading of a few images: a button for each class under each, and the score beside the network's."""

import re
from collections.abc import Callable, Sequence
from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any

from firstread.core.errors import SettingError
from firstread.lessons.buttons import Clickable, make_button, make_html
from firstread.lessons.notes import Note, NotYetError, frame

if TYPE_CHECKING:
    from firstread.core.case import Case
    from firstread.core.predictions import Predictions
    from firstread.lessons.pile import PileSeries



class ImageReading(Clickable):
    """Images that a learner reads before the network does.

    Args:
        cases: with labels: whatever has `case`, `label` and `image()`.
        classes: of the answers.
        answers: case -> class, of an earlier reading.
        on_change: is told the answers after each change.
        on_score: is told the number of right answers.
    """

    #: pixels of a picture, small enough to travel to a hundred notebooks, and least width of its tile
    picture_pixels, tile_pixels = 220, 125

    def __init__(
        self,
        cases: "Sequence[Case | PileSeries]",
        classes: Sequence[str],
        *,
        answers: dict[str, str],
        on_change: Callable[[dict[str, str]], None],
        on_score: Callable[[int], None],
    ) -> None:
        self.cases, self.classes = tuple(cases), tuple(classes)
        names = {case.case for case in self.cases}
        self.answers = {case: name for case, name in answers.items() if case in names and name in self.classes}
        self._on_change, self._on_score = on_change, on_score
        self._pictures: dict[str, str] = {}

    @property
    def is_complete(self) -> bool:
        """True once every image is read."""
        return len(self.answers) == len(self.cases)

    def __len__(self) -> int:
        return len(self.cases)

    def read(self, text: str) -> Note:
        """Type the reading in place of clicking: `ten.read("c a a c a c a a c a")`.

        Letters, whole words or the numbers of the classes, in upper or lower case, with spaces, commas or nothing in
        between.

        Raises:
            NotYetError: it is not one answer for each image.
        """
        words = re.findall(r"\w+", text.casefold().replace("_", " "))
        if len(words) == 1 and len(self.cases) > 1 and self._class_of(words[0]) is None:
            words = list(words[0])
        found = [self._class_of(word) for word in words]
        unknown = sorted({word for word, name in zip(words, found, strict=True) if name is None})
        letters = " and ".join(f'"{name[0]}" for {name}' for name in self.classes)
        if unknown or len(found) != len(self.cases):
            said = f"{', '.join(unknown)} is none of the classes" if unknown else f"{len(found)} answers were typed"
            raise NotYetError(
                f"This is not a reading of {len(self.cases)} images: {said}",
                expected=f"{len(self.cases)} letters, such as {letters}",
                do="type one for each image, or click the buttons",
            )
        self.answers = {case.case: str(name) for case, name in zip(self.cases, found, strict=True)}
        self._on_change(self.answers)
        listed = ", ".join(self.answers.values())
        return Note(f"Your reading of the {len(self.cases)} images: {listed}.", good=True)

    def _class_of(self, word: str) -> str | None:
        """The class that a word means: its number, its name, or the beginning of one name only."""
        if word.isdigit() and 1 <= int(word) <= len(self.classes):
            return self.classes[int(word) - 1]
        beginning = [name for name in self.classes if name.casefold().startswith(word)]
        exact = [name for name in beginning if name.casefold() == word]
        return (exact or beginning)[0] if exact or len(beginning) == 1 else None

    def score(self) -> Note:
        """How many were read correctly.

        Raises:
            NotYetError: not every image is read.
        """
        correct = self._count(self._read())
        self._on_score(correct)
        return Note(f"You read {correct} of {len(self.cases)} correctly. The network will read the same ones.")

    def compare(self, predictions: "Predictions") -> Note:
        """The learner beside a network on these images.

        Raises:
            NotYetError: not every image is read.
            SettingError: the predictions do not hold these images.
        """
        own = self._read()
        answered = dict(zip(predictions.table["case"], predictions.table["prediction"], strict=True))
        if any(case.case not in answered for case in self.cases):
            raise SettingError("These are predictions of other images than you read", do="predict the same cases")
        network = [answered[case.case] for case in self.cases]
        of = f"of {len(self.cases)}"
        text = f"On the images that you read: you {self._count(own)} {of}, the network {self._count(network)} {of}."
        return Note("\n".join([text, *self._disagreements(own, network)]))

    def _disagreements(self, own: list[str], network: list[str]) -> list[str]:
        rows = enumerate(zip(self.cases, own, network, strict=True), start=1)
        return [
            f"Image {number} is {case.label}: you said {mine}, the network {said}."
            for number, (case, mine, said) in rows
            if {mine, said} != {case.label}
        ]

    def _read(self) -> list[str]:
        if not self.is_complete:
            missing = [number for number, case in enumerate(self.cases, start=1) if case.case not in self.answers]
            names = ", ".join(map(str, missing))
            raise NotYetError(
                f"Not yet: you have read {len(self.answers)} of {len(self.cases)} images",
                expected=f"an answer for image{'s' if len(missing) > 1 else ''} {names}",
                do="click a button under each image above, then run this cell again",
            )
        return [self.answers[case.case] for case in self.cases]

    def _count(self, answers: list[str]) -> int:
        return sum(answer == case.label for answer, case in zip(answers, self.cases, strict=True))

    # ---- as a notebook shows it

    def _make_widget(self) -> Any:
        import ipywidgets

        progress = make_html(self._progress_html())
        buttons: dict[tuple[str, str], Any] = {}

        def click(case: str, name: str) -> None:
            self.answers[case] = name
            for other in self.classes:
                self._mark(buttons[case, other], other, chosen=other == name)
            progress.value = self._progress_html()
            self._on_change(self.answers)

        tiles = []
        for number, case in enumerate(self.cases, start=1):
            for name in self.classes:
                press = partial(click, case.case, name)
                buttons[case.case, name] = make_button(name, press, hint=f"image {number}: {name}", short=True)
                self._mark(buttons[case.case, name], name, chosen=self.answers.get(case.case) == name)
            row = ipywidgets.HBox(
                [buttons[case.case, name] for name in self.classes],
                layout=ipywidgets.Layout(flex_flow="row wrap", padding="0 3px", overflow="visible"),
            )
            tiles.append(ipywidgets.VBox([make_html(self._picture(case, number)), row]))
        columns = f"repeat(auto-fill, minmax({self.tile_pixels}px, 1fr))"
        grid = ipywidgets.GridBox(
            tiles, layout=ipywidgets.Layout(grid_template_columns=columns, grid_gap="14px", width="100%")
        )
        return ipywidgets.VBox([make_html("", with_style=True), grid, progress])

    @staticmethod
    def _mark(button: Any, name: str, *, chosen: bool) -> None:
        button.description = f"✓ {name}" if chosen else name
        (button.add_class if chosen else button.remove_class)("firstread-chosen")

    def _progress_html(self) -> str:
        if self.is_complete:
            return frame(f"All {len(self.cases)} are read. Run the next cell.", good=True, role="status")
        return frame(f"{len(self.answers)} of {len(self.cases)} are read.", role="status")

    def __repr__(self) -> str:
        answers = [self.answers.get(case.case, "not read") for case in self.cases]
        return "\n".join(f"image {number}: {answer}" for number, answer in enumerate(answers, start=1))

    def _repr_html_(self) -> str:
        tiles = "".join(
            f"<div>{self._picture(case, number)}<div>{escape(self.answers.get(case.case, 'not read yet'))}</div></div>"
            for number, case in enumerate(self.cases, start=1)
        )
        style = f"display:grid;grid-template-columns:repeat(auto-fill,minmax({self.tile_pixels}px,1fr));gap:14px"
        return f'<div style="{style}">{tiles}</div>{self._progress_html()}'

    def _picture(self, case: "Case | PileSeries", number: int) -> str:
        """HTML of an image with its number above it; drawn once."""
        if case.case not in self._pictures:
            style = "display:block;width:100%;aspect-ratio:1;object-fit:contain;background:#000"
            alt = escape(", ".join(filter(None, [f"image {number}", self._caption(case), "to be read"])), quote=True)
            caption = self._caption(case)
            below = f"<div style='font-size:13px;line-height:1.3'>{escape(caption)}</div>" if caption else ""
            picture = f'<img style="{style}" alt="{alt}" src="{self._draw(case)}">'
            self._pictures[case.case] = f"<div>image {number}</div>{picture}{below}"
        return self._pictures[case.case]

    def _draw(self, case: "Case | PileSeries") -> str:
        """An image as the address of a PNG."""
        import io

        from PIL import Image

        from firstread.core.figures import data_url

        picture = Image.fromarray(case.image())
        picture.thumbnail((self.picture_pixels, self.picture_pixels))
        stream = io.BytesIO()
        picture.save(stream, format="PNG")
        return data_url(stream.getvalue())

    def _caption(self, case: "Case | PileSeries") -> str:
        """What stands under an image; nothing by default."""
        return ""
