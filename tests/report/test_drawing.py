"""What a drawing says stands on the page as it was said."""

import re

from matplotlib.figure import Figure

from gliobench.report.drawing import draw, shortened


def test_numbers_and_names_keep_their_digits_and_places_lose_theirs() -> None:
    names = ["segresnet-lr0.0001", "segresnet-lr0.0005", "0.0025"]

    def paint(figure: Figure) -> None:
        figure.subplots().set_yticks([0, 1 / 3, 1], names)

    svg = draw("lines", "Lines", (4, 2), paint)
    assert [text for text in re.findall(r"<text[^>]*>([^<]*)</text>", svg) if text in names] == names
    assert not re.search(r"<[^>]*\d\.\d{3}[^>]*>", svg)


def test_names_that_begin_alike_do_not_look_alike() -> None:
    names = [f"qwen2.5-vl-7b-instruct-finetuned-fold-{number}" for number in range(2)]
    assert [shortened(name) for name in names] == ["qwen2.5-vl-7b-i…netuned-fold-0", "qwen2.5-vl-7b-i…netuned-fold-1"]
    assert shortened("unet") == "unet"
