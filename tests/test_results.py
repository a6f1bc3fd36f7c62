"""The output folder: never overwritten, resumed only by the comparison it belongs to."""

import json
import os

import pytest

from ordered_mix.errors import RunError
from ordered_mix.files.results import ResultFolder, slug

IDENTITY = {"data": "a", "draws": [1, 2]}


def test_a_new_folder_is_created_and_can_be_taken_up_again(tmp_path):
    folder = ResultFolder(tmp_path / "deep" / "new", IDENTITY)
    folder.open()
    folder.write("table.csv", lambda path: path.write_text("x"))
    again = ResultFolder(folder.path, {"data": "a", "draws": (1, 2)})
    again.open()
    assert "table.csv" in again


def test_something_else_is_not_overwritten(tmp_path):
    ResultFolder(tmp_path, IDENTITY).open()
    other = ResultFolder(tmp_path, {"data": "b"})
    with pytest.raises(ValueError, match="holds results of something else"):
        other.open()
    (tmp_path / "table.csv").write_text("old")
    (tmp_path / "mine.txt").write_text("kept")
    other.open(force=True)
    assert "table.csv" not in other
    assert (tmp_path / "mine.txt").read_text() == "kept"
    assert json.loads((tmp_path / "comparison.json").read_text())["identity"] == {"data": "b"}


def test_a_folder_with_foreign_files_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(ValueError, match="--force"):
        ResultFolder(tmp_path, IDENTITY).open()


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="out must be a folder that can be written"):
        ResultFolder(tmp_path / "file" / "below", IDENTITY).open()


def test_half_written_files_never_appear(tmp_path):
    folder = ResultFolder(tmp_path, IDENTITY)
    folder.open()

    def broken(path):
        path.write_text("half")
        raise OSError("disk full")

    with pytest.raises(RunError, match=r"cannot be written: disk full; .* run the same command"):
        folder.write("table.csv", broken)
    assert os.listdir(tmp_path) == ["comparison.json"]


def test_an_unreadable_tree_is_none(tmp_path):
    (tmp_path / "draws.nc").write_bytes(b"\x89HDF\r\n\x1a\n" + b"0" * 50)
    assert ResultFolder(tmp_path, IDENTITY).read_tree("draws.nc") is None


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("nuts relative(link=square)", "nuts-relative-link-square"),
        ("../../etc/passwd", "etc-passwd"),
        ("<script>", "script"),
        ("...", "unnamed"),
    ],
)
def test_labels_become_plain_file_names(label, name):
    assert slug(label) == name
