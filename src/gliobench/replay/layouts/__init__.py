"""The forms in which answers are found. A new one is a file beside this and a line here.

Each module has `recognises(path, head)` and `read(paths, task, plane, problem)`.
"""

from gliobench.replay.layouts import slice_lines, table, truth_lines

LAYOUTS = {
    "a line for each slice (`Slice #3 => Choice: 1 …`, `True Label: HGG`)": slice_lines,
    "a ground truth before each answer (`Ground truth: … || Model output: …`)": truth_lines,
    "a table (JSON lines, CSV or Parquet)": table,
}
