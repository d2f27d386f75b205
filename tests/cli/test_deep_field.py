"""The example that counts objects in real pictures: whole, and with pictures that are broken or gone."""

from __future__ import annotations

import json
import os
import shutil
import struct
import zlib
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Run

EXAMPLE = Path(__file__).parents[2] / "examples" / "deep_field"


@pytest.fixture
def project(tmp_path: Path, database_url: str) -> Path:
    """Copy the example, make the copy the current folder, and give it an empty database."""
    copy = tmp_path / "deep_field"
    shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns(".djcli", "__pycache__", "pictures"))
    os.chdir(copy)
    os.environ["DJCLI_DATABASE_URL"] = database_url
    return copy


def shipped(name: str) -> bytes:
    """Return a file that scikit-image is installed with."""
    spec = find_spec("skimage")
    assert spec is not None
    assert spec.origin is not None
    return (Path(spec.origin).parent / "data" / name).read_bytes()


def png(pixels: np.ndarray) -> bytes:
    """Return 8-bit brightness as a PNG file."""
    height, width = pixels.shape
    lines = b"".join(b"\0" + line.tobytes() for line in pixels.astype(np.uint8))
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(lines)),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def discs(*circles: tuple[int, int, int], height: int = 220, width: int = 340) -> np.ndarray:
    """Draw bright discs, given by x, y and radius, on a dark ground."""
    y, x = np.mgrid[:height, :width]
    inside = [(x - left) ** 2 + (y - top) ** 2 <= radius**2 for left, top, radius in circles]
    return np.where(np.any(inside, axis=0), 220, 30)


def rows(command: Run, *args: str) -> list[dict[str, Any]]:
    """Return what a command prints as JSON."""
    result = command(*args, "--format", "json")
    assert result.code == 0, result.err
    return json.loads(result.out)


def test_the_whole_example_as_its_readme_says(command: Run, project: Path) -> None:
    applied = command("apply")
    assert applied.code == 0, applied.err
    assert applied.out in (project / "README.md").read_text()
    # in a process of its own, with a limit on its time: it has to be quick enough to be tried out
    populated = command("populate", timeout=60)
    assert (populated.code, populated.err) == (0, "")
    assert [line.split(" in ")[0] for line in populated.out.splitlines()] == [
        "Image: 4 made",
        "Detection: 12 made",
        "DetectionSummary: 12 made",
    ]
    shown = command("show", "DetectionSummary").out.splitlines()
    readme = (project / "README.md").read_text().splitlines()
    start = readme.index(shown[0])
    for line, promised in zip(shown, readme[start : start + 13], strict=True):
        name, params, count, *_ = line.split()
        told_name, told_params, told_count, *_ = promised.split()
        assert (name, params) == (told_name, told_params)
        if count != "n_blobs":
            # another version of scikit-image may round otherwise
            assert int(count) == pytest.approx(int(told_count), rel=0.05, abs=1)
    finished = rows(command, "progress")
    assert [(state["table"], state["rows"], state["remaining"]) for state in finished] == [
        ("Image", 4, 0),
        ("Detection", 12, 0),
        ("DetectionSummary", 12, 0),
    ]


def test_a_broken_and_a_missing_picture_cost_their_own_keys_alone(command: Run, project: Path) -> None:
    circles = [(60, 50, 20), (250, 80, 30), (130, 160, 25)]
    pictures = project / "pictures"
    pictures.mkdir()
    coins = shipped("coins.png")
    (pictures / "cut.png").write_bytes(coins[: len(coins) // 2])
    (pictures / "discs.png").write_bytes(png(discs(*circles)))
    (pictures / "gone.png").write_bytes(coins)
    (pictures / "notes.txt").write_text("of no concern")
    applied = command("apply")
    assert applied.code == 0, applied.err
    assert "inserted 7 rows into deep_field.ImageFile" in applied.out
    (pictures / "gone.png").unlink()

    populated = command("populate", "--suppress-errors", "-r", "params=large")
    assert populated.code == 1
    assert [line.split(" in ")[0] for line in populated.out.splitlines()] == [
        "Image: 5 made, 2 failed",
        "Detection: 5 made",
        "DetectionSummary: 5 made",
    ]
    head, cut, gone = populated.err.splitlines()
    assert head == "2 failed:"
    assert cut.startswith("  Image file_name=pictures/cut.png: OSError: image file is truncated")
    missing = f"  Image file_name=pictures/gone.png: No such file or directory: {pictures / 'gone.png'} "
    assert gone.startswith(f"{missing}(pipelines/deep_field.py:")
    done = {state["table"]: (state["done"], state["remaining"]) for state in rows(command, "progress")}
    assert done == {"Image": (5, 2), "Detection": (5, 10), "DetectionSummary": (5, 0)}

    images = {row["file_name"]: row for row in rows(command, "show", "Image")}
    drawn = images["pictures/discs.png"]
    assert (drawn["path"], drawn["height"], drawn["width"]) == (str(pictures / "discs.png"), 220, 340)
    assert drawn["mean_brightness"] == pytest.approx(discs(*circles).mean() / 255, abs=1e-6)
    assert images["hubble_deep_field.jpg"]["mean_brightness"] < 0.1 < images["coins.png"]["mean_brightness"]

    found = {row["file_name"]: row for row in rows(command, "show", "DetectionSummary")}
    assert found["coins.png"]["n_blobs"] == 24, "so many coins are in the picture"
    assert 16 <= found["coins.png"]["median_radius"] <= 24
    assert found["cell.png"]["n_blobs"] == 1
    assert found["pictures/discs.png"]["n_blobs"] == 3
    assert float(found["pictures/discs.png"]["per_megapixel"]) == pytest.approx(3e6 / 220 / 340, abs=0.01)
    blobs = rows(command, "show", "Detection.Blob", "-r", "file_name=pictures/discs.png")
    for blob, (x, y, radius) in zip(blobs, sorted(circles, key=lambda c: -c[2]), strict=True):
        # the picture searched is reduced three times, so a pixel of it is three of the original
        assert blob["x"] == pytest.approx(x, abs=2)
        assert blob["y"] == pytest.approx(y, abs=2)
        assert blob["radius"] == pytest.approx(radius, abs=3)

    for name in ("cut.png", "gone.png"):
        (pictures / name).write_bytes(coins)
    mended = command("populate", "-r", "params=large")
    assert (mended.code, mended.err) == (0, "")
    assert mended.out.startswith("Image: 2 made in ")
    again = {row["file_name"]: row["n_blobs"] for row in rows(command, "show", "DetectionSummary")}
    assert again["pictures/cut.png"] == again["pictures/gone.png"] == again["coins.png"]
