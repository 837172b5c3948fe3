"""Whatever the form, an importer goes by what a line says; what cannot be trusted is refused with file and line."""

import csv
import json
from pathlib import Path

import pandas as pd
import pytest

from gliobench.replay.as_json import as_json
from gliobench.replay.errors import ReplayError
from gliobench.replay.outcome import ProtocolName, published_side, replay, standard_side
from gliobench.replay.printing import lines
from gliobench.replay.protocol_comparison import changes
from gliobench.replay.read import read_external
from gliobench.replay.tables import write_tables
from gliobench.scoring.compare import compare_runs
from gliobench.scoring.errors import CompareError
from gliobench.tasks.geometry import Box, Grade, Polygon

BOX = "Ground truth: [(10, 20), (10, 39), (29, 39), (29, 20)] || Model output: "


def write(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_answers_over_lines_cut_off_in_other_brackets_and_empty(tmp_path: Path) -> None:
    text = (
        f"{BOX}**Box**\n\nIt is here:\n[(10, 20), (10, 39), (29, 39), (29, 20)]\n"
        f"{BOX}[[10, 20], [10, 39], [29, 39], [29, 20]]\n{BOX}[(10, 20), (10,\n{BOX}\n"
        "Ground truth: [(-1, -1), (-1, -1), (-1, -1), (-1, -1)] || Model output: [(1, 2), (1, 5), (6, 5), (6, 2)]\n"
    )
    folder = write(tmp_path / "answers", {"og_patient_0.txt": text, "patient_2.txt": ""})
    external = read_external(folder, "box")
    assert [answer.line for answer in external.answers] == [1, 5, 6, 7, 8]
    assert external.answers[0].text == "**Box**\n\nIt is here:\n[(10, 20), (10, 39), (29, 39), (29, 20)]"
    assert external.answers[3].text is None
    assert external.answers[4].truth is None
    assert isinstance(external.answers[0].truth, Box)
    assert external.silent == ("patient_002",)
    assert external.gaps == ("patient_001",)
    outcome = replay(folder, "box", "both")
    # Two of five right, one cut off, one empty, one box where there is no tumour: Dice (1 + 1 + 0 + 0 + 0) / 5.
    standard = standard_side(outcome)
    assert (standard.n_asked, standard.n_answered, standard.n_subjects) == (5, 3, 1)
    assert standard.figures["dice"].value == pytest.approx(0.4)
    # Published: one that is four corners and no more, and the box in a slice without a tumour, which is held to the
    # true box before it (20 x 20 pixels against 6 x 4, apart): Dice (1 + 0) / 2. Nobody knows of the others.
    published = published_side(outcome)
    assert published.figures["dice"].value == 0.5
    assert published.n_answered == 2
    said = "\n".join(lines(outcome))
    assert "3 of 5 answers were not read and are left out of the published means" in said
    assert "patient_002: an empty file" in said


def test_a_published_slice_without_a_tumour_is_held_to_the_last_true_box_of_anybody(
    tmp_path: Path,
) -> None:
    none = "Ground truth: [(-1, -1), (-1, -1), (-1, -1), (-1, -1)] || Model output: "
    said = "[(10, 20), (10, 39), (29, 39), (29, 20)]\n"
    files = {"patient_0.txt": f"{none}{said}{BOX}{said}", "patient_1.txt": f"{none}{said}"}
    published = published_side(replay(write(tmp_path / "answers", files), "box", "published"))
    # Patient 0's first slice comes before any truth and is left out; patient 1's is held to patient 0's box.
    assert (published.n_answered, published.n_subjects) == (2, 2)
    assert published.figures["dice"].value == 1.0


@pytest.mark.parametrize(
    ("said", "dice"),
    [
        ("[(29, 20), (10, 39), (29, 39), (10, 20)]", 1.0),  # corners in any order: the rectangle around them
        ("[10, 20], [10, 39], [29, 39], [29, 20]", 1.0),
        # An array's slice from row -10 to 29 of 128 rows is empty; clipped, it would hold the truth.
        ("[(-10, 20), (-10, 39), (29, 39), (29, 20)]", 0.0),
    ],
)
def test_published_boxes(tmp_path: Path, said: str, dice: float) -> None:
    folder = write(tmp_path / "answers", {"patient_0.txt": f"{BOX}{said}\n"})
    assert published_side(replay(folder, "box", "published")).figures["dice"].value == dice


@pytest.mark.parametrize("said", ["[10, 20, 29, 39]", "[10, 20), (10, 39), (29, 39), (29, 20)]", "(-1,-1)," * 4, "no"])
def test_published_boxes_that_are_not_read(tmp_path: Path, said: str) -> None:
    folder = write(tmp_path / "answers", {"patient_0.txt": f"{BOX}{said}\n"})
    side = published_side(replay(folder, "box", "published"))
    assert (side.n_answered, side.n_subjects) == (0, 0)


@pytest.mark.parametrize("digits", [25, 400, 5000])
@pytest.mark.parametrize("task", ["box", "centre", "polygon"])
def test_a_number_as_long_as_a_line_breaks_nothing(tmp_path: Path, task: str, digits: int) -> None:
    start = (
        BOX.replace("Ground truth", "Ground truth centre: [(1, 1)] || Ground truth bbox") if task == "centre" else BOX
    )
    folder = write(tmp_path / "answers", {"patient_0.txt": f"{start}({'9' * digits}, 3), (1, 2), (2, 2), (2, 3)\n"})
    outcome = replay(folder, task, "both")
    assert [answer.subject for answer in outcome.external.answers] == ["patient_000"]
    assert (standard_side(outcome).n_asked, published_side(outcome).n_asked) == (1, 1)


def test_a_centre_where_there_is_no_tumour_leaves_the_published_mean(tmp_path: Path) -> None:
    rows = [{"subject": "A", "truth": truth, "answer": "(3, 4)"} for truth in ([0, 0, 9, 9], None)]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    side = published_side(replay(path, "centre", "both"))
    assert (side.n_asked, side.n_answered, side.figures["in_box"].value) == (2, 1, 1.0)


def test_both_protocols_score_the_first_of_several_answers(tmp_path: Path) -> None:
    rows = [
        {"subject": "A", "slice": 0, "repeat": repeat, "truth": [0, 0, 9, 9], "answer": answer}
        for repeat, answer in enumerate(["(3, 4)", "(90, 90)"])
    ]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    outcome = replay(path, "centre", "both")
    for side in (published_side(outcome), standard_side(outcome)):
        assert (side.n_asked, side.figures["in_box"].value) == (1, 1.0)


def test_rows_without_a_slice_are_counted_for_each_repeat(tmp_path: Path) -> None:
    rows = [
        {"subject": "A", "repeat": repeat, "truth": [0, 0, 9, 9], "answer": "(3, 4)"}
        for _ in range(2)
        for repeat in range(2)
    ]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    found = [(answer.frame.index, answer.repeat) for answer in read_external(path, "centre").answers]
    assert found == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_polygons_that_are_not_read_are_empty_slices_of_the_published_volume(tmp_path: Path) -> None:
    truth = "Ground truth: [(10, 20), (10, 39), (29, 39), (29, 20)] || Model output: "
    folder = write(tmp_path / "p", {"patient_0.txt": f"{truth}[(10, 20), (10, 39), (29, 39), (29, 20)]\n{truth}?\n"})
    outcome = replay(folder, "polygon", "both")
    # One slice of two is whole: 2 a / (a + 2 a) = 2/3.
    assert published_side(outcome).figures["dice"].value == pytest.approx(2 / 3)
    assert any("1 of 2 answers were not read and count as empty slices" in sentence for sentence in changes(outcome))


def test_slice_lines_with_a_label(tmp_path: Path) -> None:
    text = (
        "Scan #: 4/8\nSlice #0 => Choice: 1 Reasoning: necrosis\nSlice #1 => ERROR: Unknown >>||Choice||: 1||\n"
        "Slice #2 => Choice: 0\nGuesses: [1, 1, 0]\nTally: [1, 2, 0, 0]\nTrue Label: HGG || Prediction Label: HGG\n"
    )
    external = read_external(write(tmp_path / "a", {"scan_results_4.txt": text}), "grade")
    assert {answer.subject for answer in external.answers} == {"patient_001"}  # four modalities a patient
    assert external.answers[0].truth == Grade(1)
    assert external.answers[1].text == "Choice\n: 1"


def test_published_grades_leave_a_patient_without_a_grade_out(tmp_path: Path) -> None:
    truth = "Ground truth: {} || Model output: {}\n"
    folder = write(
        tmp_path / "g",
        {
            "patient_0.txt": truth.format(1, "Choice: 1") * 2,
            "patient_1.txt": truth.format(0, "Choice: 2") * 2 + truth.format(0, "Choice: 0"),
            "patient_2.txt": truth.format(0, "Choice: 0") + truth.format(0, "Choice: 1"),  # a tie: the lower
        },
    )
    outcome = replay(folder, "grade", "both")
    assert published_side(outcome).n_subjects == 2
    assert published_side(outcome).figures["accuracy"].value == 1.0
    assert standard_side(outcome).figures["accuracy"].value == pytest.approx(2 / 3)


@pytest.mark.parametrize("indices", [(10, 11, 12), (10, 20, 30), (10, 13, 20)])
def test_the_volume_is_of_the_slices_held_whatever_lies_between(tmp_path: Path, indices: tuple[int, ...]) -> None:
    rows = [
        {"subject": "A", "slice": index, "truth": [20, 30, 59, 69], "answer": "(20, 30, 59, 69)"} for index in indices
    ]
    rows[-1]["answer"] = "none"
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    figures = standard_side(replay(path, "box", "standard"), stacked=True).figures
    assert figures["dice"].value == pytest.approx(0.8)  # two of three slices: 2 * 2 / (2 + 3)
    assert figures["precision"].value == 1.0


def test_several_planes_are_scored_each_by_itself(tmp_path: Path) -> None:
    row = '{{"subject": "{}", "plane": "{}", "truth": "LGG", "answer": "Choice: 0"}}\n'
    path = tmp_path / "a.jsonl"
    path.write_text(row.format("A", "axial") + row.format("B", "coronal"))
    with pytest.raises(ReplayError, match=r"a.jsonl:2: .*coronal.*a.jsonl:1 axial"):
        replay(path, "grade", "standard")


@pytest.mark.parametrize("protocol", ["published", "standard"])
def test_polygons_of_several_sizes_make_no_volume(tmp_path: Path, protocol: ProtocolName) -> None:
    row = '{{"subject": "A", "slice": {0}, "rows": 12{0}, "truth": [[2, 3], [4, 6], [6, 3]], "answer": "x"}}\n'
    path = tmp_path / "a.jsonl"
    path.write_text(row.format(0) + row.format(1))
    with pytest.raises(ReplayError, match=r"a.jsonl:2: A has slices of several planes or sizes \(axial \(120, 128\)"):
        replay(path, "polygon", protocol)


ROWS = [
    {"subject": "A", "truth": [10, 20, 29, 39], "answer": "[(10, 20), (10, 39), (29, 39), (29, 20)]"},
    {"subject": "A", "truth": None, "answer": "no tumour"},
    {"subject": "B", "truth": [0, 0, 9, 9], "answer": None},
]


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_the_generic_table_in_three_forms_is_one(tmp_path: Path, form: str) -> None:
    path = tmp_path / f"answers.{form}"
    if form == "jsonl":
        path.write_text("\n".join(json.dumps(row) for row in ROWS), encoding="utf-8")
    elif form == "csv":
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(ROWS[0])
            writer.writerows(
                [r["subject"], "" if r["truth"] is None else json.dumps(r["truth"]), r["answer"]] for r in ROWS
            )
    else:
        pd.DataFrame(ROWS).to_parquet(path)
    found = as_json(replay(path, "box", "standard"))
    assert (found["n_asked"], found["n_subjects"]) == (3, 2)
    # A: one right, and one where rightly no tumour was said; B: nothing came back.
    dice = found["metrics"]["dice"]
    assert set(dice) >= {"value", "low", "high"}
    assert dice["value"] == 0.5


def test_right_boxes_of_every_fifth_slice_are_right_as_a_volume(tmp_path: Path) -> None:
    """Answer and truth are both of the slices that the files hold, and of no other."""
    rows = [{"subject": "a", "slice": n, "truth": [1, 1, 9, 9], "answer": "(1, 1, 9, 9)"} for n in (3, 8, 13)]
    text = "\n".join(json.dumps(row) for row in rows)
    outcome = replay(write(tmp_path / "table", {"a.jsonl": text}), "box", "standard")
    assert standard_side(outcome, stacked=True).figures["dice"].value == 1


def test_polygons_and_sizes_of_a_table(tmp_path: Path) -> None:
    row = {"subject": "A", "slice": 7, "truth": [[2, 2], [2, 9], [9, 9]], "answer": "((2, 2), (2, 9), (9, 9))"}
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({**row, "rows": 16, "columns": 20, "spacing_mm": 0.5}))
    (answer,) = read_external(path, "polygon").answers
    assert isinstance(answer.truth, Polygon)
    assert (answer.frame.index, answer.frame.shape, answer.frame.spacing_mm) == (7, (16, 20), (0.5, 0.5))


def bad(tmp_path: Path, files: dict[str, str | bytes], task: str, match: str) -> None:
    folder = tmp_path / "bad"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(ReplayError, match=match):
        read_external(folder, task)


def test_nothing_recognisable(tmp_path: Path) -> None:
    bad(tmp_path, {"notes.txt": "Dear reviewer,\n"}, "box", r"found none of them in 1 files, the first being notes.txt")


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match="nowhere does not exist"):
        read_external(tmp_path / "nowhere", "box")


def test_what_is_no_file_of_answers(tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match="/dev/null is neither a folder nor a file"):
        read_external(Path("/dev/null"), "box")
    (tmp_path / "answers" / "box").mkdir(parents=True)
    with pytest.raises(ReplayError, match=r"folders box"):
        read_external(tmp_path / "answers", "box")
    (tmp_path / "answers" / "patient_0.txt").mkdir()
    with pytest.raises(ReplayError, match=r"patient_0.txt is a folder"):
        read_external(tmp_path / "answers", "box")
    silent = write(tmp_path / "silent", {"patient_0.txt": "", "patient_1.txt": ""})
    with pytest.raises(ReplayError, match=r"2 files, .*patient_0.txt"):
        read_external(silent, "box")


def test_a_patient_twice(tmp_path: Path) -> None:
    bad(tmp_path, {"patient_3.txt": BOX, "og_patient_3.txt": BOX}, "box", r"patient_3.txt.*both of patient 3")


def test_a_truth_that_contradicts_itself_within_a_file(tmp_path: Path) -> None:
    text = "Ground truth: 1 || Model output: Choice: 1\nGround truth: 0 || Model output: Choice: 1\n"
    bad(tmp_path, {"patient_0.txt": text}, "grade", r"patient_0.txt:2: the truth of patient_000 is LGG here and HGG in")


def test_a_truth_that_contradicts_itself_between_files(tmp_path: Path) -> None:
    row = '{{"subject": "A", "slice": {}, "truth": {}, "answer": "Choice: 1"}}'
    files: dict[str, str | bytes] = {"a.jsonl": row.format(0, 1), "b.jsonl": row.format(1, 0)}
    bad(tmp_path, files, "grade", r"b.jsonl:1: the truth of A is LGG here and HGG in a.jsonl:1")


def test_a_box_that_contradicts_itself_is_shown_as_numbers(tmp_path: Path) -> None:
    row = '{{"subject": "A", "slice": 0, "repeat": {}, "truth": [1, 1, 5, {}], "answer": "x"}}'
    files: dict[str, str | bytes] = {"a.jsonl": row.format(0, 5), "b.jsonl": row.format(1, 6)}
    bad(tmp_path, files, "box", r"b.jsonl:1: the truth of A is \(1, 1, 5, 6\) here and \(1, 1, 5, 5\) in a.jsonl:1")


def test_repeats_count_from_0(tmp_path: Path) -> None:
    row = '{"subject": "A", "slice": 3, "repeat": 1, "truth": 1, "answer": "Choice: 1"}'
    bad(tmp_path, {"a.jsonl": row}, "grade", r"a.jsonl:1: `repeat` counts from 0, .* no answer 0 of A, axial slice 3")


def test_two_columns_of_one_name(tmp_path: Path) -> None:
    bad(tmp_path, {"a.csv": "subject,truth,answer,subject\nA,,x,B\n"}, "box", "a.csv:1: .*'subject'")


def test_two_labels(tmp_path: Path) -> None:
    text = "Slice #0 => Choice: 1\nTrue Label: HGG || \nTrue Label: LGG || \n"
    bad(tmp_path, {"scan_results_0.txt": text}, "grade", r"found HGG in line 2, LGG in line 3")


def test_a_line_of_ten_megabytes(tmp_path: Path) -> None:
    text = f"{BOX}(1, 2)\n{BOX}" + "x" * 10_000_000
    bad(tmp_path, {"patient_0.txt": text}, "box", r"patient_0.txt:2: a line of 10,000,")


def test_wrong_encodings(tmp_path: Path) -> None:
    bad(tmp_path, {"patient_0.txt": f"{BOX}(1, 2)\n{BOX}caf".encode() + b"\xe9"}, "box", r"patient_0.txt:2: byte 0xe9")


def test_utf_16_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(json.dumps(ROWS[0]).encode("utf-16-le"))
    with pytest.raises(ReplayError, match=r"a.jsonl:1: a zero byte"):
        read_external(path, "box")


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ("{", r"a.jsonl:1: not JSON"),
        ('{"subject": "A", "answer": "x"}', r"a.jsonl:1: no column truth; found subject, answer"),
        ('{"subject": "A", "truth": [5, 5, 1, 9], "answer": "x"}', r"a.jsonl:1: the truth of a box is \[row_min"),
        ('{"subject": "A", "truth": [5, 5], "answer": "x"}', r"a.jsonl:1: the truth of a box is .* found '\[5, 5\]'"),
        ('{"subject": "A", "truth": null, "slice": 1%s, "answer": "x"}' % ("0" * 400), "a.jsonl:1: int too large"),
        ('{"subject": "A", "truth": [0, 0, 9, 1%s], "answer": "x"}' % ("0" * 400), "a.jsonl:1: the truth of a box is"),
        ('{"subject": "A", "truth": 5, "answer": "x"}', r"a.jsonl:1: the truth of a box is .* found '5'"),
        ('{"subject": "A", "truth": [NaN, 1, 2, 3], "answer": "x"}', r"a.jsonl:1: the truth has \(nan, 1\), outside"),
        (
            '{"subject": "A", "truth": [0, 0, 200, 9], "answer": "x"}',
            r"a.jsonl:1: .*outside a slice of 128 x 128",
        ),
        ('{"subject": "A", "truth": null, "answer": "x", "slice": -5}', r"a.jsonl:1: `slice` is .* found -5"),
        ('{"subject": "A", "truth": null, "answer": "x", "slice": 1.7}', r"a.jsonl:1: `slice` is .* found 1.7"),
        ('{"subject": "A", "truth": null, "answer": "x", "rows": 10000000}', r"a.jsonl:1: `rows` is .* found 10000000"),
        ('{"subject": "A", "truth": null, "answer": "x", "spacing_mm": -1}', r"a.jsonl:1: `spacing_mm` is"),
        ('{"subject": null, "truth": null, "answer": "x"}', r"a.jsonl:1: nothing in the column `subject`"),
        ("[" * 100_000, r"a.jsonl:1: not "),
        ('{"subject": "A", "truth": null, "answer": "x", "plane": "oblique"}', r"a.jsonl:1: plane 'oblique'"),
    ],
)
def test_bad_rows_name_file_and_line(tmp_path: Path, line: str, match: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(line)
    with pytest.raises(ReplayError, match=match):
        read_external(path, "box")


def test_utf_16_text_files_are_named(tmp_path: Path) -> None:
    bad(tmp_path, {"patient_0.txt": f"{BOX}x".encode("utf-16")}, "box", r"patient_0.txt:1: a zero byte")


@pytest.mark.parametrize("cell", ['"never closed', "x" * 1_000_000 + "y,z"])
def test_a_table_that_is_not_csv(tmp_path: Path, cell: str) -> None:
    bad(tmp_path, {"a.csv": f"subject,truth,answer\nA,,{cell}\n"}, "box", r"a.csv:\d: ")


def test_a_truth_outside_its_slice(tmp_path: Path) -> None:
    text = BOX.replace("(29, 20)", "(29, 200)") + "x\n"
    bad(tmp_path, {"patient_0.txt": f"{BOX}x\n{text}"}, "box", r"patient_0.txt:2: the truth has \(29, 200\), outside")


def test_tables_do_not_take_the_place_of_a_file(tmp_path: Path) -> None:
    outcome = replay(write(tmp_path / "answers", {"patient_0.txt": f"{BOX}x\n"}), "box", "standard")
    (tmp_path / "out").write_text("mine")
    with pytest.raises(ReplayError, match="out cannot be a folder for the tables"):
        write_tables(outcome, tmp_path / "out")


def test_damaged_tables_are_named_and_a_replay_that_is_done_again_mends_them(tmp_path: Path) -> None:
    answers = {
        name: write(tmp_path / f"{name}-answers", {f"patient_{place}.txt": f"{BOX}{said}\n" for place in range(3)})
        for name, said in (("a", "[(10, 20), (10, 39), (29, 39), (29, 20)]"), ("b", "no"))
    }
    for name, folder in answers.items():
        write_tables(replay(folder, "box", "standard", name=name), tmp_path / name)
    runs = [tmp_path / name for name in answers]
    expected = compare_runs(runs)
    table = runs[0] / "scores" / "per_subject.parquet"
    content = bytearray(table.read_bytes())
    content[len(content) // 2] ^= 1  # one bit, which Parquet's reader may take for another figure
    table.write_bytes(content)
    with pytest.raises(CompareError, match=r"per_subject\.parquet is damaged"):
        compare_runs(runs)
    write_tables(replay(answers["a"], "box", "standard", name="a"), runs[0])
    pd.testing.assert_frame_equal(compare_runs(runs), expected, check_exact=True)


def test_a_studys_own_scores_are_not_written_over(tmp_path: Path) -> None:
    outcome = replay(write(tmp_path / "answers", {"patient_0.txt": f"{BOX}x\n"}), "box", "standard")
    (tmp_path / "prepared.json").write_text("{}")
    with pytest.raises(ReplayError, match="run folder of a study"):
        write_tables(outcome, tmp_path)
    assert not (tmp_path / "scores").exists()


def test_nothing_is_half_written(tmp_path: Path) -> None:
    from gliobench.study.config.replay import read_replication
    from gliobench.study.replication.run import run_replication
    from gliobench.study.state.progress import Silent

    folder = write(tmp_path / "answers", {"patient_0.txt": f"{BOX}(1, 2)\n"})
    (folder / "patient_1.txt").write_bytes(b"Ground truth: \xff")
    study = tmp_path / "study.yaml"
    study.write_text("name: r\ncohort: x\nreplay:\n  - {name: a, task: box, answers: answers}\n")
    with pytest.raises(ReplayError, match=r"patient_1.txt:1"):
        run_replication(read_replication(study), tmp_path / "out", Silent())
    assert not (tmp_path / "out").exists()
