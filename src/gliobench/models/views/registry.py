"""Every kind of view there is. A new one is a file beside this and a line here."""

from collections.abc import Mapping

from gliobench.models.views.grey import GREY
from gliobench.models.views.layout import Layout
from gliobench.models.views.montage import MONTAGE
from gliobench.models.views.mosaic import MOSAIC
from gliobench.models.views.rgb import RGB
from gliobench.plugins import plugins

LAYOUTS: Mapping[str, Layout] = {"grey": GREY, "rgb": RGB, "mosaic": MOSAIC, "montage": MONTAGE} | plugins("views")
