"""The shell that types pages in notices when a page says something else than what happens."""

import pytest
from transcripts import Shell

ONE, OTHER = "0b9c2f04-3c5d-4f0e-9a52-5b8f6d1e7a10", "11111111-2222-3333-4444-555555555555"


def page(*lines):
    return "\n".join(["1. A step.", "", "    ```console", *(f"    {line}" for line in lines), "    ```", ""])


@pytest.fixture
def play(tmp_path):
    shell = Shell(folder=tmp_path, environment={})
    return lambda text, **happens: shell.play(text, happens)


@pytest.mark.parametrize(
    "lines",
    [
        ["$ echo one; echo two", "one", "two"],
        ["$ echo one; echo two", "two"],
        ["$ echo 'rows   545 in 2.1 s'", "rows 545 in … s"],
        ["$ false   # exit code 1"],
        ["$ export NAME=acme", "$ echo $NAME", "acme"],
        [f"$ echo run {OTHER}", f"run {ONE}", f"$ echo again {ONE}", f"again {ONE}", f"$ test {ONE} = {OTHER}"],
    ],
)
def test_a_page_that_is_right_passes(play, lines):
    play(page(*lines))


@pytest.mark.parametrize(
    "lines",
    [
        ["$ echo one; echo two", "two", "one"],
        ["$ echo one and a half", "one"],
        ["$ false"],
        ["$ true   # exit code 3"],
        [f"$ echo {OTHER}", ONE, "$ echo 22222222-2222-3333-4444-555555555555", ONE],
    ],
)
def test_a_page_that_is_wrong_does_not(play, lines):
    with pytest.raises(AssertionError):
        play(page(*lines))


def test_what_happens_outside_of_the_page_happens_in_its_place(play, tmp_path):
    text = page("$ ls", "$ test ! -e there") + "\n    <!-- rehearsal: it comes -->\n" + page("$ ls there", "there")
    play(text, **{"it comes": (tmp_path / "there").touch})
