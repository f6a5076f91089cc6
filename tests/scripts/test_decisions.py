"""Decision records say what a reader needs, and their list is the list of them."""

import pytest

from scripts import decisions

WHOLE = """# 7. A title

Date: 2026-11-29. Status: accepted. Extends decision 3.

**Decision.** This.

**Options.** That: slower.

**Look again when** that is faster.
"""


def test_every_record_has_date_status_options_and_when_to_look_again():
    found, faults = decisions.records()
    assert faults == []
    assert len(found) == len(list(decisions.FOLDER.glob("[0-9]*.md"))) > 90


def test_the_list_is_up_to_date():
    found, _ = decisions.records()
    assert (decisions.FOLDER / "README.md").read_text() == decisions.listed(found), "run: python -m scripts.decisions"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "0007-a-title.md").write_text(WHOLE)
    return tmp_path


def test_a_whole_record_is_read(folder):
    [record], faults = decisions.records(folder)
    assert (record.number, record.title, record.date, record.superseded_by) == (7, "A title", "2026-11-29", None)
    assert faults == []


@pytest.mark.parametrize(
    ("cut", "put", "said"),
    [
        ("# 7. A", "# 8. A", "number of its name"),
        ("# 7. A", "# 7 A", "number of its name"),
        ("Date: 2026-11-29. ", "", "Date: YYYY"),
        ("2026-11-29", "2026-13-29", "Date: YYYY"),
        ("accepted", "perhaps", "Status: accepted"),
        ("**Options.** ", "**Tried.** ", "Options"),
        ("**Look again when** ", "Look again when ", "Look again when"),
    ],
)
def test_what_a_record_lacks_is_named(folder, cut, put, said):
    assert cut in WHOLE
    (folder / "0007-a-title.md").write_text(WHOLE.replace(cut, put))
    found, faults = decisions.records(folder)
    assert found == []
    assert len(faults) == 1 and faults[0].startswith("0007-a-title.md: lacks") and said in faults[0]
    assert decisions.main(folder) == 1


def test_a_number_is_given_once(folder):
    (folder / "0007-another.md").write_text(WHOLE)
    assert decisions.records(folder)[1] == ["7 is the number of 2 decisions"]


@pytest.mark.parametrize("by", [7, 9])
def test_what_took_its_place_exists(folder, by):
    (folder / "0007-a-title.md").write_text(WHOLE.replace("accepted", f"superseded by {by}"))
    assert [fault for fault in decisions.records(folder)[1] if f"superseded by {by}, which there is not" in fault]


def test_the_list_links_records_and_what_took_their_place(folder):
    (folder / "0007-a-title.md").write_text(WHOLE.replace("accepted", "superseded by 9"))
    (folder / "0009-newer.md").write_text(WHOLE.replace("# 7.", "# 9."))
    assert decisions.main(folder) == 0
    text = (folder / "README.md").read_text()
    assert "| 7 | [A title](0007-a-title.md) | 2026-11-29 | superseded by [9](0009-newer.md) |" in text
    assert decisions.records(folder)[1] == []
