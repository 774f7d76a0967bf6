"""What people type about runs."""

import pytest

from panel.domain.labels import Label, LabelChange, Shelf, spaced, typed_name, typed_note, typed_tags


@pytest.mark.parametrize(
    ("typed", "tags"),
    [
        ("", ()),
        ("good, may  GOOD", ("good", "may")),
        ("#trial\t#2024,,x", ("trial", "2024", "x")),
        ("a\x1b[31mb \u202egnp", ("a", "[31mb", "gnp")),
        ("x" * 50, ("x" * 30,)),
        (" ".join(f"t{n}" for n in range(20)), tuple(f"t{n}" for n in range(12))),
        ("größe", ("größe",)),
    ],
)
def test_tags_are_words_in_small_letters(typed, tags):
    assert typed_tags(typed) == tags


def test_a_name_is_one_line_and_a_note_has_several():
    assert typed_name("  Best\r\n of\x00 May \u202e") == "Best of May" and len(typed_name("x" * 500)) == 100
    assert typed_note("one \r\ntwo\rthree\x1b\n\n") == "one\ntwo\nthree" and len(typed_note("x\n" * 9000)) == 4000


def test_tags_are_stored_so_that_a_whole_one_can_be_looked_for():
    assert spaced(()) == "" and " b " in spaced(("a", "b"))


def test_a_change_leaves_alone_what_it_does_not_name():
    label = Label("name", "note", ("a",), star=True, version=3)
    assert LabelChange().of(label) == label
    changed = LabelChange(add=("b", "a"), remove=("c",), shelf=Shelf.ARCHIVED).of(label)
    assert changed == Label("name", "note", ("a", "b"), star=True, shelf=Shelf.ARCHIVED, version=3)
    assert LabelChange(remove=("a",), star=False).of(label) == Label("name", "note", version=3)
