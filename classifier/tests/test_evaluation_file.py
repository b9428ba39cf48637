"""Reading the table of an evaluation from the folder of a release."""

from pathlib import Path

from classifier.releases import evaluation as written


def test_a_file_that_is_no_table_is_none(tmp_path: Path) -> None:
    assert written.read(tmp_path) is None
    for text in ("{", "[]", '{"format_version": 99}'):
        (tmp_path / written.JSON_FILE).write_text(text)
        assert written.read(tmp_path) is None
