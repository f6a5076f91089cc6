"""The facts of a column, as short as a card is narrow."""

from kilnworks.components.reporting.sections.data import _facts

TEXT = {"distinct": 5000, "words": {"mean": 7.25, "vocabulary": 12345}}
CLASSES = {"distinct": 3, "words": {"mean": 1.195, "vocabulary": 4}}


def test_texts_tell_their_words_in_short_cells() -> None:
    rows = dict(_facts({"train": TEXT, "test": TEXT}, masked=False)["rows"])
    assert rows["words a row"] == ["7.25", "7.25"]
    assert len(rows["different words"]) == 2
    assert all(len(cell) < 12 for cells in rows.values() for cell in cells)


def test_a_few_classes_are_no_text() -> None:
    assert not [name for name, _ in _facts({"train": CLASSES}, masked=False)["rows"] if "words" in name]
