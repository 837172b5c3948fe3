"""Controls: changed images that show whether a model looks at the image. To add one, write a file and a line here."""

from gliobench.grid.controls.base import Control
from gliobench.grid.controls.blank import BLANK
from gliobench.grid.controls.filled import FILLED
from gliobench.grid.controls.flipped import FLIPPED
from gliobench.grid.controls.other import OTHER
from gliobench.plugins import PluginError, Registry

BUILT_IN: dict[str, Control] = {one.name: one for one in (BLANK, OTHER, FLIPPED, FILLED)}


def made_control(name: str, kind: type[Control]) -> Control:
    """The control of an entry point. Raises PluginError where it has another name."""
    if kind.name != name:
        raise PluginError(
            f"the entry point {name} of gliobench.controls is the control {kind.name}: give both one name"
        )
    return kind()


CONTROLS = Registry[Control]("controls", BUILT_IN, made_control)
