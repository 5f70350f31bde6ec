"""Errors in a real kernel: a sentence, what to do, the place in the cell; no library's traceback."""

import os
import re
import sys

import pytest

pytest.importorskip("ipykernel", reason="notebooks need firstread[lessons]")

_ANSI = re.compile(r"\x1b\[[0-9;]*m")


class Kernel:
    """A notebook's kernel, as JupyterLab starts it."""

    def __init__(self, folder):
        from jupyter_client.manager import start_new_kernel

        environment = {**os.environ, "FIRSTREAD_HOME": str(folder / "home"), "PYTHONPATH": os.pathsep.join(sys.path)}
        self.manager, self.client = start_new_kernel(kernel_name="python3", cwd=str(folder), env=environment)

    def run(self, code):
        """What a cell shows: {"status", "error": text, "html": texts, "text": printed}."""
        shown = {"error": "", "html": [], "text": ""}

        def see(message):
            content = message["content"]
            if message["msg_type"] == "error":
                shown["error"] = _ANSI.sub("", "\n".join(content["traceback"]))
            elif message["msg_type"] == "stream":
                shown["text"] += content["text"]
            elif message["msg_type"] in ("display_data", "execute_result"):
                shown["html"].append(content["data"].get("text/html", ""))
                shown["data"] = content["data"]

        shown["status"] = self.client.execute_interactive(code, output_hook=see, timeout=120)["content"]["status"]
        return shown


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    kernel = Kernel(tmp_path_factory.mktemp("notebook"))
    kernel.run("%load_ext firstread.lessons.notebook_errors")
    yield kernel
    kernel.client.stop_channels()
    kernel.manager.shutdown_kernel(now=True)


@pytest.fixture(scope="module")
def lesson(kernel):
    assert kernel.run('import firstread as fr\nlesson = fr.lesson("hello-world")')["status"] == "ok"
    return kernel


SLIPS = {
    # before anything was run
    "lesson.step('look')": ("There is nothing called lesson yet", "import firstread as fr"),
    'print("Hello)': ("a quotation mark is missing", "the same one after it"),
    'print("Hello"': ("a bracket ( is open", "closing bracket )"),
    'print("Hello"))': ("there is a ) too many", "delete it"),
    "print(“Hello”)": ("typographic", "straight one"),
    'print "Hello"': ("print needs brackets", 'print("Hello")'),
    "f(epochs=1, epochs=2)": ("epochs is given twice", "leave one epochs=..."),
    'x = ["a" "b", "c': ("a quotation mark is missing", "each text has"),
    "x = 1\n  y = 2": ("its beginning is not where Python expects it", "take away the spaces"),
    # a word without quotation marks
    "AUGMENTATION = on": ("it has no quotation marks", 'put it between quotation marks: "on"'),
    "answer = a": ("it has no quotation marks", '"a"'),
    "answer = yes": ("it has no quotation marks", '"yes"'),
    "answer = pneumothorax": ("Python knows nothing called pneumothorax", '"pneumothorax"'),
    "train_all = true": ("Python writes True with a capital letter", "type it so"),
    # files and modules
    'open("my_image.png")': ("There is no file my_image.png", "put it beside this notebook"),
    "import firstreed": ("Python does not find firstreed", "check the spelling"),
    "[].nothing": ("A list has nothing called nothing", "check the spelling"),
}


@pytest.mark.parametrize("code", SLIPS)
def test_a_slip_gets_a_sentence_of_its_own(kernel, code):
    what, do = SLIPS[code]
    shown = kernel.run(code)
    assert shown["status"] == "error"
    assert what in shown["error"]
    assert do in shown["error"]
    assert "Traceback" not in shown["error"]
    assert "File " not in shown["error"]
    assert len(shown["error"].splitlines()) <= 7


def test_a_name_that_a_cell_above_makes(lesson):
    shown = lesson.run("print(1)\ncohort.train.show(10)")["error"]
    assert "There is nothing called cohort yet: the cell above that makes it has not been run." in shown
    assert 'run the cell that begins with   lesson.step("look")' in shown
    assert "In line 2 of this cell: cohort.train.show(10)" in shown
    assert "(NameError: name 'cohort' is not defined)" in shown


def test_a_setting_that_is_given_twice_or_misspelt(lesson):
    assert "epochs is given twice" in lesson.run('fr.train(1, 2, epochs=3, **{"epochs": 4})')["error"]
    assert "Did you mean" in lesson.run("fr.trian")["error"]
    assert "did you mean step?" in lesson.run('lesson.stepp("look")')["error"]
    assert "needs more" in lesson.run("fr.train()")["error"]


def test_an_error_of_firstread_is_its_sentences_and_the_traceback_is_a_click_away(lesson):
    shown = lesson.run('lesson.step("loook")')
    assert shown["error"].startswith('The lesson has no step "loook". Did you mean "look"?')
    assert "In line 1 of this cell" in shown["error"]
    assert "Traceback" not in shown["error"]
    (details,) = shown["html"]
    assert details.startswith("<details><summary>")
    assert "Traceback" in details
    assert "session.py" in details


def test_an_image_that_is_not_there(lesson):
    shown = lesson.run('lesson.own_case("scan.png")')["error"]
    assert shown.startswith("There is no such file.")
    assert "beside this notebook" in shown


def test_an_error_that_nobody_foresaw_is_short_too(lesson):
    shown = lesson.run("import json\njson.loads('{')")
    assert shown["error"].startswith("JSONDecodeError: ")
    assert "In line 2 of this cell: json.loads('{')" in shown["error"]
    assert "decoder.py" not in shown["error"]
    assert "decoder.py" in shown["html"][0]


def test_what_a_learner_typed_is_no_markup(lesson):
    assert "<img" not in lesson.run("raise ValueError('<img src=x>')")["html"][0]


def test_a_question_has_buttons_in_a_notebook_and_text_beside_them(lesson):
    data = lesson.run('lesson.question("flip")')["data"]
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"]
    assert "Pneumothorax" in data["text/html"]
    assert "Pneumothorax" in data["text/plain"]


def test_figures_carry_a_text_for_who_cannot_see_them(lesson):
    code = "import numpy as np\nfr.show_images([np.zeros((8, 8), np.uint8)] * 2, ['a chest', 'an abdomen'])"
    found = []
    lesson.client.execute_interactive(code, output_hook=found.append, timeout=120)
    (shown,) = [one["content"] for one in found if one["msg_type"] == "display_data"]
    assert shown["metadata"]["image/png"]["alt"] == "2 images: a chest, an abdomen"
    assert set(shown["data"]) == {"image/png", "text/plain"}


def test_a_progress_bar_is_text_and_no_widget(lesson):
    code = "from firstread.core.progress_bar import track\nimport time\nfor _ in track(range(3), 'Looking'): time.sleep(0.4)"
    shown = lesson.run("import os; os.environ.pop('FIRSTREAD_PROGRESS', None)\n" + code)
    assert "Looking" in shown["text"]
    assert "3/3" in shown["text"]
    assert "data" not in shown
