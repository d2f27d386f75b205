"""Counting objects in real pictures: galaxies, coins, cells, craters."""

import math
from pathlib import Path

import numpy as np
import PIL.Image
import skimage as ski

import djcli as dj

SHIPPED = Path(ski.__file__).parent / "data"
"""Where scikit-image keeps the pictures that it is installed with."""

OWN = Path(__file__).parents[1] / "pictures"
"""Where yours are looked for: the folder `pictures` beside `djcli.yaml`."""

SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff"}

MAX_PIXELS = 2_000_000
"""Pictures with more are reduced before they are searched: it saves time and memory."""

SHARP_ENOUGH = 4.0
"""How many pixels the radius of an object has to be: larger ones are found as well in a reduced picture."""

SMALLEST = 1.5
"""The smallest radius, in pixels, that can be told from noise."""

schema = dj.Schema("deep_field")


@schema
class ImageFile(dj.Lookup):
    definition = """
    # Pictures to look at
    file_name : varchar(255)  # of scikit-image's; your own are called pictures/...
    ---
    shows : varchar(255)  # what is in the picture
    """

    @property
    def contents(self):
        yield "hubble_deep_field.jpg", "galaxies, by the Hubble Space Telescope"
        yield "coins.png", "24 Greek coins from Pompeii"
        yield "cell.png", "one cell floating in saline, by holography"
        yield "moon.png", "craters of the Moon"
        for file in sorted(OWN.glob("*")):
            if file.suffix.lower() in SUFFIXES:
                yield f"{OWN.name}/{file.name}", ""


@schema
class Image(dj.Imported):
    definition = """
    # What the files hold
    -> ImageFile
    ---
    path : varchar(4096)  # of the file
    height : int32  # px
    width : int32  # px
    mean_brightness : float32  # from 0, black, to 1, white
    """

    def make(self, key):
        name = Path(key["file_name"])
        path = (OWN if name.parent.name else SHIPPED) / name.name
        grey = read_grey(path)
        height, width = grey.shape
        self.insert1(
            {**key, "path": str(path), "height": height, "width": width, "mean_brightness": grey.mean()}
        )


@schema
class DetectionParams(dj.Lookup):
    definition = """
    # What to search for: bright round objects on a darker ground
    params : varchar(32)
    ---
    min_radius : float32  # px
    max_radius : float32  # px
    n_sizes : int32  # how many radii are tried from the one to the other
    threshold : float32  # how bright an object must be against its ground, 0 to 1; lower finds fainter ones
    """
    contents = (
        ("small", 2, 10, 8, 0.1),
        ("small_faint", 2, 10, 8, 0.05),
        ("large", 14, 42, 8, 0.1),
    )


@schema
class Detection(dj.Computed):
    definition = """
    # Each picture searched with each set of parameters
    -> Image
    -> DetectionParams
    ---
    reduction : int32  # each pixel searched is the mean of so many by so many
    """

    class Blob(dj.Part):
        definition = """
        # The objects, the largest first
        -> master
        blob : int32
        ---
        x : float32  # px from the left edge to the centre
        y : float32  # px from the upper edge to the centre
        radius : float32  # px
        """

    def make(self, key):
        params = (DetectionParams & key).fetch1()
        grey = read_grey((Image & key).fetch1("path"))
        reduction = reduction_for(grey.size, params["min_radius"])
        blobs = find_blobs(reduce(grey, reduction), params, reduction)
        self.insert1({**key, "reduction": reduction})
        self.Blob.insert(
            {**key, "blob": number, "x": x, "y": y, "radius": radius}
            for number, (x, y, radius) in enumerate(blobs, start=1)
        )


@schema
class DetectionSummary(dj.Computed):
    definition = """
    # What each search has found
    -> Detection
    ---
    n_blobs : int32  # objects
    per_megapixel : decimal(9,2)  # objects in 1,000,000 px
    median_radius = null : float32  # px
    largest_radius = null : float32  # px
    """

    def make(self, key):
        height, width = (Image & key).fetch1("height", "width")
        radius = (Detection.Blob & key).to_arrays("radius")
        found = len(radius)
        self.insert1(
            {
                **key,
                "n_blobs": found,
                "per_megapixel": found / (height * width / 1e6),
                "median_radius": np.median(radius) if found else None,
                "largest_radius": radius.max() if found else None,
            }
        )


def read_grey(path):
    """Read a picture, the first frame if it has several, as brightness from 0 to 1."""
    with PIL.Image.open(path) as picture:
        if picture.mode in ("I", "F"):
            raise ValueError(f"{path} has 32 bits for each pixel: convert it to 8 or 16")
        is_deep = picture.mode.startswith("I;16")
        return ski.util.img_as_float(np.asarray(picture if is_deep else picture.convert("L")))


def reduction_for(pixels, min_radius):
    """Tell how far a picture can be reduced, or must be because it is big."""
    can = int(min_radius / SHARP_ENOUGH)
    must = math.ceil(math.sqrt(pixels / MAX_PIXELS))
    return max(can, must, 1)


def reduce(grey, by):
    """Average blocks of pixels; the last row and column are repeated where a block is not full."""
    if by == 1:
        return grey
    height, width = grey.shape
    padded = np.pad(grey, ((0, -height % by), (0, -width % by)), mode="edge")
    return ski.measure.block_reduce(padded, (by, by), np.mean)


def find_blobs(grey, params, reduction):
    """Return x, y and radius of the objects in a reduced picture, in pixels of the original."""
    smallest = max(params["min_radius"] / reduction, SMALLEST)
    largest = max(params["max_radius"] / reduction, smallest)
    found = ski.feature.blob_log(
        grey,
        min_sigma=smallest / math.sqrt(2),
        max_sigma=largest / math.sqrt(2),
        num_sigma=params["n_sizes"],
        threshold=params["threshold"],
    )
    y, x, sigma = found.T
    # the centre of a block of pixels, not its first pixel
    centre = (reduction - 1) / 2
    blobs = np.column_stack([x, y, sigma * math.sqrt(2)]) * reduction + (centre, centre, 0)
    return blobs[np.lexsort((blobs[:, 0], blobs[:, 1], -blobs[:, 2]))]
