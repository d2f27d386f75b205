"""Codecs in tables: what is inserted comes back, and what cannot be read says where it is."""

from pathlib import Path

import numpy as np
import pytest

import djcli as dj
from djcli.errors import DataJointError
from djcli.settings import config
from djcli.tables.instance import Instance


@pytest.fixture
def scan(instance: Instance) -> type[dj.Manual]:  # noqa: ARG001 - the default instance is this test's
    schema = dj.Schema("imaging")

    @schema
    class Scan(dj.Manual):
        definition = """
        scan : int32
        ---
        frames = null : <blob>
        notes = null : <attach>
        """

    return Scan


def test_blobs_come_back(scan: type[dj.Manual]) -> None:
    values = [np.arange(12).reshape(3, 4), {"a": [1, None, (2.5, "x")]}, "text", None, 3 + 4j]
    scan.insert({"scan": i, "frames": value} for i, value in enumerate(values))
    found = scan.to_dicts(order_by="KEY")
    np.testing.assert_array_equal(found[0]["frames"], values[0])
    assert [row["frames"] for row in found[1:]] == values[1:]
    assert [row["frames"] for row in scan & "scan in (1, 2)"] == values[1:3]
    assert "<blob>" in repr(scan())


def test_an_array_of_length_one_is_squeezed_when_asked(scan: type[dj.Manual]) -> None:
    scan.insert1({"scan": 1, "frames": np.ones((1, 3, 1))})
    assert scan.fetch1("frames").shape == (1, 3, 1)
    assert scan.fetch1("frames", squeeze=True).shape == (3,)


@pytest.mark.parametrize("damage", [b"", b"nonsense", b"mYm\0A\3", b"ZL123\0" + b"\xff" * 8 + b"x"])
def test_a_damaged_blob_says_where_it_is(scan: type[dj.Manual], instance: Instance, damage: bytes) -> None:
    scan.insert1({"scan": 7, "frames": [1, 2, 3]})
    instance.connection.query("UPDATE imaging.scan SET frames = %s", (damage,))
    with pytest.raises(
        DataJointError, match=r"imaging\.Scan: attribute 'frames' \(<blob>\) of the row with scan=7"
    ):
        scan.to_dicts()
    with pytest.raises(DataJointError, match=r"imaging\.Scan: attribute 'frames'"):
        list(scan())


def test_what_the_format_has_no_code_for_is_refused_by_name(scan: type[dj.Manual]) -> None:
    for value, name in (
        (np.float16(1), "float16"),
        (np.zeros(2, "m8[s]"), "timedelta64"),
        (np.zeros(2, "S3"), "S3"),
    ):
        with pytest.raises(DataJointError, match=f"row 1.*'frames'.*{name}"):
            scan.insert1({"scan": 1, "frames": np.atleast_1d(value)})
    assert len(scan()) == 0


def test_files_are_attached(scan: type[dj.Manual], tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("seen: élan")
    scan.insert1({"scan": 1, "notes": tmp_path / "notes.txt"})
    (tmp_path / "out").mkdir()
    with config.override({"download_path": str(tmp_path / "out")}):
        path = Path(scan.fetch1("notes"))
    assert path.parent == tmp_path / "out"
    assert path.read_text() == "seen: élan"


def test_a_codec_of_ones_own_builds_on_another(instance: Instance) -> None:  # noqa: ARG001
    class Points(dj.Codec):
        name = "points_of_test"

        def get_dtype(self, is_store: bool) -> str:  # noqa: ARG002
            return "<blob>"

        def encode(self, value: object, *, key: object = None, store_name: object = None) -> object:  # noqa: ARG002
            return [list(point) for point in value]  # type: ignore[attr-defined]

        def decode(self, stored: object, *, key: object = None) -> object:  # noqa: ARG002
            return [tuple(point) for point in stored]  # type: ignore[attr-defined]

        def validate(self, value: object) -> None:
            if not isinstance(value, list):
                raise ValueError("points come in a list")

    schema = dj.Schema("shapes")

    @schema
    class Shape(dj.Manual):
        definition = """
        shape : int32
        ---
        points : <points_of_test>
        """

    Shape.insert1({"shape": 1, "points": [(1, 2), (3, 4)]})
    assert Shape.fetch1("points") == [(1, 2), (3, 4)]
    with pytest.raises(DataJointError, match=r"'points'.*points come in a list"):
        Shape.insert1({"shape": 2, "points": 5})
    assert "points : <points_of_test>" in Shape.describe()
