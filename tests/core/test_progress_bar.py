"""Progress bar: silent for quick work, counts steps."""

from firstread.core.progress_bar import ProgressBar, track


def test_progress_is_silent_for_quick_work_and_counts(capsys):
    assert list(track([1, 2, 3], "Counting")) == [1, 2, 3]
    with ProgressBar("Counting", 2) as bar:
        bar.update(loss=0.3)
        bar.update()
    assert bar.completed == 2
    assert capsys.readouterr().err == ""
