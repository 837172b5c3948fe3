"""Every kind of view there is. A new one is a file beside this and a line here."""

from gliobench.models.views.grey import GREY
from gliobench.models.views.layout import Layout
from gliobench.models.views.montage import MONTAGE
from gliobench.models.views.mosaic import MOSAIC
from gliobench.models.views.rgb import RGB
from gliobench.plugins import Registry

LAYOUTS = Registry[Layout]("views", {"grey": GREY, "rgb": RGB, "mosaic": MOSAIC, "montage": MONTAGE})
