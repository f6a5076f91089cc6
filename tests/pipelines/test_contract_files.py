"""A contract that a command wrote is for people; its statistics lie beside it, and are never lost quietly."""

import hashlib
import shutil

import polars as pl
import pytest

from kilnworks.components.quality.contracts.infer import infer_contract
from kilnworks.pipelines.cli.app import main
from kilnworks.pipelines.cli.writing import write_contract
from kilnworks.schemas.contract import dump_contract, load_contract, parse_contract
from kilnworks.schemas.errors import ContractError


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "shop.csv"
    rows = [{"id": n, "price": (n * 37 % 101) / 4, "kind": "abc"[n % 3], "sold": n % 2} for n in range(300)]
    pl.DataFrame(rows).write_csv(path)
    return path


@pytest.fixture
def written(table, tmp_path):
    path = tmp_path / "schemas" / "shop.yaml"
    path.parent.mkdir()
    assert main(["contract", "infer", str(table), "-o", str(path), "--label", "sold"]) == 0
    return path


def beside(path):
    return sorted(p for p in path.parent.iterdir() if p != path)


@pytest.mark.slow
def test_a_person_reads_the_contract_and_a_program_the_statistics(written, table):
    text = written.read_text()
    assert max(map(len, text.splitlines())) <= 130 and len(text.splitlines()) < 30, text
    [statistics] = beside(written)
    found = hashlib.sha256(statistics.read_bytes()).hexdigest()
    assert statistics.name == f"shop-{found[:8]}.statistics"
    assert f"sha256: {found}" in text and f"file: {statistics.name}" in text
    contract = load_contract(written)
    assert contract.reference.statistics_file is None
    assert contract.reference == infer_contract(table, "sold").reference
    assert main(["contract", "check", str(written), str(table)]) == 0


@pytest.mark.slow
def test_a_contract_that_was_copied_alone_is_refused(written, tmp_path, capsys):
    shutil.copy(written, tmp_path / "alone.yaml")
    with pytest.raises(ContractError, match=r"(?s)no file .*shop-.*copy it together with the contract"):
        load_contract(tmp_path / "alone.yaml")
    assert main(["contract", "check", str(tmp_path / "alone.yaml"), str(tmp_path / "shop.csv")]) == 2
    assert "copy it together" in capsys.readouterr().err
    shutil.copy(beside(written)[0], tmp_path)
    assert load_contract(tmp_path / "alone.yaml") == load_contract(written)


@pytest.mark.slow
def test_statistics_of_another_contract_are_refused(written):
    [statistics] = beside(written)
    statistics.write_bytes(statistics.read_bytes()[:-10])
    with pytest.raises(ContractError, match="not the file that the contract was written with"):
        load_contract(written)


@pytest.mark.slow
def test_a_name_leads_to_no_other_folder(written):
    text = written.read_text().replace("file: shop-", "file: ../shop-")
    with pytest.raises(ContractError, match="statistics_file"):
        parse_contract(text, "shop.yaml")


@pytest.mark.slow
def test_statistics_that_were_not_read_are_not_taken_for_none(written):
    reference = parse_contract(written.read_text(), "shop.yaml").reference
    with pytest.raises(ContractError, match="load_contract"):
        _ = reference.statistics


@pytest.mark.slow
def test_the_older_form_is_read_and_written_again_in_two_files(table, tmp_path):
    path = tmp_path / "old.yaml"
    path.write_text(dump_contract(infer_contract(table, "sold")))
    assert "sketch: |" in path.read_text()
    before = load_contract(path)
    write_contract(path, before)
    assert load_contract(path) == before and "sketch" not in path.read_text()


@pytest.mark.slow
def test_writing_again_leaves_one_file_of_statistics_and_those_of_others(written, table, tmp_path):
    [first] = beside(written)
    other = written.with_name("shop-old.statistics")
    other.write_text("mine")
    pl.read_csv(table).head(200).write_csv(table)
    assert main(["contract", "infer", str(table), "-o", str(written), "--label", "sold"]) == 0
    assert not first.exists() and other.exists()
    assert load_contract(written).reference.rows == 200


@pytest.mark.slow
def test_a_kill_between_both_files_leaves_the_contract_that_was_there(written, table, monkeypatch):
    before = load_contract(written)
    pl.read_csv(table).head(200).write_csv(table)

    def killed(path, text, *, durable=False, plain=write_contract.__globals__["write_asked"]):
        if path.suffix == ".yaml":
            raise KeyboardInterrupt
        plain(path, text, durable=durable)

    monkeypatch.setitem(write_contract.__globals__, "write_asked", killed)
    with pytest.raises(KeyboardInterrupt):
        write_contract(written, infer_contract(table, "sold"))
    assert load_contract(written) == before
