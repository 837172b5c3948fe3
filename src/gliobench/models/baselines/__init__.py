"""The trivial baselines, by name. Each is built from training patients and a plane; to add one, write a file and a line
here."""

from collections.abc import Callable, Sequence

from gliobench.grid.frame import Plane
from gliobench.grid.prepared import PreparedSubject
from gliobench.models.base.prediction import Model
from gliobench.models.baselines.bright_blob import bright_blob, flair_blob
from gliobench.models.baselines.empty import empty
from gliobench.models.baselines.image_centre import image_centre
from gliobench.models.baselines.majority_grade import majority_grade
from gliobench.models.baselines.mean_box import mean_box
from gliobench.models.baselines.source import source
from gliobench.models.baselines.whole_slice import whole_slice
from gliobench.plugins import Registry

Make = Callable[[Sequence[PreparedSubject], Plane], Model]
BUILT_IN: dict[str, Make] = {
    "majority-grade": majority_grade,
    "source": source,
    "image-centre": image_centre,
    "mean-box": mean_box,
    "flair-blob": flair_blob,
    "bright-blob": bright_blob,
    "whole-slice": whole_slice,
    "empty": empty,
}
BASELINES = Registry[Make]("baselines", BUILT_IN)
