"""The command line: one verb a stage, plus `run` for all of them."""

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gliobench.study.parts.paths import REPLICATION
from gliobench.tasks.coordinates import FAMILIES, named_convention

if TYPE_CHECKING:
    from gliobench.study.state.context import Context
    from gliobench.study.state.progress import Terminal

app = typer.Typer(
    name="gliobench",
    help="Vision-language model, fine-tuned or not, or a specialised 3D network: which should I use on my own "
    "3D medical images, and is the difference real?\n\n"
    "Start with `gliobench run studies/quick.yaml --cohort FOLDER --out runs/first`. Every stage can also be run "
    "alone; it picks up what the one before it left, and is skipped where nothing has changed. "
    "For research use only: not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)


def _set_replication(folder: Path | None) -> Path | None:
    """What `${GLIOBENCH_REPLICATION}` stands for in the study file that is read next."""
    if folder is not None:
        os.environ[REPLICATION] = str(folder)
    return folder


StudyFile = Annotated[Path, typer.Argument(help="Study file (YAML).", show_default=False)]
CohortFolder = Annotated[
    Path | None,
    typer.Option("--cohort", help="Folder or table of patients; the layout is recognised. Default: the study's own."),
]
Out = Annotated[Path | None, typer.Option("--out", help="Where everything goes. Default: runs/STUDY_NAME.")]
Store = Annotated[
    Path | None, typer.Option("--store", help="Where prepared patients are kept; may be shared. Default: OUT/grid.")
]
SkipBad = Annotated[
    bool, typer.Option("--skip-bad", help="Go on without the patients at fault; the report names them.")
]
Workers = Annotated[int, typer.Option("--workers", min=1, help="Threads that prepare patients.")]
FoldOption = Annotated[
    str | None,
    typer.Option(
        "--fold", help="`all`, or the number of one fold, from 0. Default: what the study file says.", metavar="K"
    ),
]
ReplicationFolder = Annotated[
    Path | None,
    typer.Option(
        "--replication",
        help="Folder of the reference study's raw answers: its public repository. A study file names it "
        "`${GLIOBENCH_REPLICATION}`.",
        envvar="GLIOBENCH_REPLICATION",
        callback=_set_replication,
        show_default=False,
    ),
]
Names = Annotated[
    list[str] | None, typer.Option("--model", help="Only this model of the study; may be given several times.")
]


class ProtocolOption(StrEnum):
    """How answers are scored."""

    standard = "standard"
    published = "published"
    both = "both"


class FormatOption(StrEnum):
    """Whose fine-tuning takes the conversations."""

    trl = "trl"
    llamafactory = "llamafactory"
    unsloth = "unsloth"


class PlaneOption(StrEnum):
    """The plane of the slices."""

    axial = "axial"
    coronal = "coronal"
    sagittal = "sagittal"


def _convention(text: str) -> str:
    try:
        named_convention(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return text


def _task(name: str) -> str:
    from gliobench.tasks.registry import in_words

    if name not in in_words():
        raise typer.BadParameter(
            f"no recorded texts to a task {name!r} are scored; expected one of {', '.join(in_words())}"
        )
    return name


class HardwareOption(StrEnum):
    """The GPUs whose speed is known."""

    t4 = "t4"
    l4 = "l4"
    a100 = "a100"
    h100 = "h100"


SETUP, STAGES, ALL, AFTER = "Set up", "Stages of a study, in order", "All stages", "What it is worth"


@app.command(rich_help_panel=SETUP)
def doctor(
    nnunet: Annotated[
        Path | None,
        typer.Option("--nnunet", help="Ask this interpreter whether it has nnU-Net.", show_default=False),
    ] = None,
) -> None:
    """Say what this machine has: versions, processors, memory, accelerators, optional parts and why not.

    Example: `gliobench doctor`
    """
    from gliobench.doctor import examine

    for line in examine(nnunet):
        typer.echo(line)


@app.command(rich_help_panel=SETUP)
def phantom(
    out: Annotated[Path, typer.Argument(help="Folder to write (BraTS 2020 layout).", show_default=False)],
    subjects: Annotated[int, typer.Option("--subjects", min=1, help="How many made patients.")] = 16,
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same bytes.")] = 0,
    timepoints: Annotated[
        int,
        typer.Option("--timepoints", min=1, max=9, help="Scans per patient, the tumour grown from each to the next."),
    ] = 1,
) -> None:
    """Make a cohort of phantom patients: brains and gliomas that were never anybody's.

    Example: `gliobench phantom --subjects 16 --seed 0 phantoms`
    """
    from gliobench.cohort.phantom import write_phantom

    voice = _terminal()
    with voice.bar("phantom", subjects) as advance:
        write_phantom(out, subjects, seed, lambda done, total: advance(done, "patients"), timepoints=timepoints)
    scans = f" with {timepoints} scans each" if timepoints > 1 else ""
    voice.say(f"{subjects} phantom patients{scans}: {out}")


@app.command("list", rich_help_panel=SETUP)
def list_(
    group: Annotated[
        str | None,
        typer.Argument(help="kinds, tasks, metrics, layouts, networks, baselines, views or experimental."),
    ] = None,
) -> None:
    """Show what there is to choose from, a line each: built in, or brought by which package.

    Example: `gliobench list kinds`
    """
    from gliobench.study.catalogue import GROUPS, catalogue

    if group is not None and group not in GROUPS:
        raise typer.BadParameter(f"{group!r} is not one of {', '.join(GROUPS)}")
    for name in [group] if group else GROUPS:
        typer.echo(name)
        for entry in catalogue(name):
            typer.echo(f"  {entry.name:26} {entry.package:12} {entry.summary}")


@app.command(rich_help_panel=SETUP)
def plan(
    study: StudyFile,
    cohort: CohortFolder = None,
    out: Out = None,
    store: Store = None,
    fold: FoldOption = None,
    patients: Annotated[
        int | None, typer.Option("--patients", min=1, help="How many to assume where no cohort is found.")
    ] = None,
    hardware: Annotated[
        HardwareOption, typer.Option("--hardware", help="The GPU to estimate hours for, beside this machine.")
    ] = HardwareOption.a100,
    replication: ReplicationFolder = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="The plan as JSON on standard output, and nothing else.")
    ] = False,
) -> None:
    """Say what a study takes before it starts: questions, tokens, memory, disk, hours, money, and what is missing here.

    Starts no work and writes nothing.

    Example: `gliobench plan studies/brats2020.yaml --cohort ~/BraTS2020`
    """
    from rich.console import Console

    from gliobench.study.config.replay import is_replication, read_replication
    from gliobench.study.config.study import StudyError
    from gliobench.study.plan.counts import NO_COHORT
    from gliobench.study.plan.make import make_plan
    from gliobench.study.plan.printing import plan_json, plan_tables
    from gliobench.study.state.lacking import check_external_files

    if is_replication(study):
        check_external_files(read_replication(study))
        raise StudyError(f"{study} scores answers that lie there: it asks nobody, and takes seconds; there is no plan")
    context = _context(study, cohort, out, store, fold=fold, nowhere=NO_COHORT)
    made = make_plan(context, patients=patients, there=hardware.value)
    if as_json:
        typer.echo(plan_json(made))
        return
    for part in plan_tables(made):
        Console().print(part)


@app.command(rich_help_panel=STAGES)
def prepare(
    study: StudyFile,
    cohort: CohortFolder = None,
    out: Out = None,
    store: Store = None,
    skip_bad: SkipBad = False,
    workers: Workers = 2,
) -> None:
    """Check every patient and put them on the common grid.

    Example: `gliobench prepare studies/brats.yaml --cohort ~/BraTS2020 --out runs/brats`
    """
    from gliobench.study.stages import prepare as stage

    stage.prepare(_ready(_context(study, cohort, out, store, skip_bad, workers), opens_cohort=True))


@app.command(rich_help_panel=STAGES)
def look(
    study: StudyFile,
    subject: Annotated[str, typer.Option("--subject", help="The patient, as the cohort names it.", show_default=False)],
    plane: Annotated[
        PlaneOption | None, typer.Option("--plane", help="Default: the study's first.", show_default=False)
    ] = None,
    index: Annotated[
        int | None, typer.Option("--slice", help="Default: the one with most tumour.", show_default=False)
    ] = None,
    model: Names = None,
    to: Annotated[
        Path | None, typer.Option("--to", help="The page. Default: OUT/look/PATIENT-….html.", show_default=False)
    ] = None,
    cohort: CohortFolder = None,
    out: Out = None,
    store: Store = None,
) -> None:
    """Show a patient before anything is asked: the modalities, the truth, and what each language model will see.

    One HTML page of one slice, with every prompt and its true answer. No other patient is prepared. The page shows
    the truth and is a patient's data: mind where it goes.

    Example: `gliobench look studies/brats.yaml --cohort ~/BraTS2020 --subject BraTS20_Training_001`
    """
    from gliobench.study.showing.look import look as look_at

    context = _context(study, cohort, out, store)
    path = look_at(context, subject, plane=plane.value if plane else None, index=index, models=model, to=to)
    typer.echo(f"{path}")


@app.command(rich_help_panel=STAGES)
def split(study: StudyFile, cohort: CohortFolder = None, out: Out = None, store: Store = None) -> None:
    """Split the patients: who is learnt from, who decides, who is tested.

    Example: `gliobench split studies/brats.yaml --out runs/brats`
    """
    from gliobench.study.stages import split as stage

    stage.split(_ready(_context(study, cohort, out, store)))


@app.command(rich_help_panel=STAGES)
def train(
    study: StudyFile,
    model: Names = None,
    cohort: CohortFolder = None,
    out: Out = None,
    store: Store = None,
    fold: FoldOption = None,
) -> None:
    """Train the study's 3D networks; an interrupted training goes on from its last epoch.

    Example: `gliobench train studies/segmentation.yaml --out runs/cv --model study-segmenter --fold all`
    """
    from gliobench.study.run import learn

    learn(_ready(_context(study, cohort, out, store, fold=fold)), model or None)


@app.command(rich_help_panel=STAGES)
def finetune(
    study: StudyFile,
    model: Names = None,
    cohort: CohortFolder = None,
    out: Out = None,
    store: Store = None,
    fold: FoldOption = None,
    push_to: Annotated[
        str | None,
        typer.Option(
            "--push-to", help="Afterwards put the adapter onto this repository of the hub, private.", metavar="REPO"
        ),
    ] = None,
) -> None:
    """Fine-tune the study's language models that ask for it; an interrupted one goes on from its last judgement.

    Example: `gliobench finetune studies/brats2020-fair.yaml --out runs/fair --model llama-finetuned`
    """
    from gliobench.study.stages import finetune as stage

    stage.finetune(_ready(_context(study, cohort, out, store, fold=fold)), model or None, push_to, alone=True)


@app.command(rich_help_panel=STAGES)
def predict(
    study: StudyFile,
    model: Names = None,
    cohort: CohortFolder = None,
    out: Out = None,
    store: Store = None,
    fold: FoldOption = None,
    export_nifti: Annotated[
        Path | None,
        typer.Option("--export-nifti", help="Write masks here as NIfTI, on the voxels of the patients' own scans."),
    ] = None,
) -> None:
    """Put every question to every model; no finished answer is asked twice.

    Example: `gliobench predict studies/brats.yaml --out runs/brats --model study-segmenter --export-nifti masks`
    """
    from gliobench.study.showing.export import export_masks
    from gliobench.study.stages import predict as stage

    context = _ready(_context(study, cohort, out, store, fold=fold))
    stage.predict(context, model or None)
    if export_nifti is not None:
        written = export_masks(context, export_nifti, model or None)
        typer.echo(f"{len(written)} masks in the patients' own space: {export_nifti}")


@app.command(rich_help_panel=STAGES)
def questions(
    study: StudyFile,
    model: Annotated[str, typer.Option("--model", help="As this model of the study is asked.", show_default=False)],
    to: Annotated[Path, typer.Option("--to", help="Folder for the images and questions.jsonl.", show_default=False)],
    cohort: CohortFolder = None,
    out: Out = None,
    store: Store = None,
    fold: FoldOption = None,
) -> None:
    """Write the slices as shown (PNG) and the questions (JSON lines), to ask a model elsewhere; then `kind: replay`.

    The images are patients' data: mind where they go.

    Example: `gliobench questions studies/brats2020-fair.yaml --out runs/fair --model llama-general --to questions`
    """
    from gliobench.study.showing.export_questions import write_questions

    written = write_questions(_ready(_context(study, cohort, out, store, fold=fold)), model, to)
    typer.echo(f"{written} questions: {to / 'questions.jsonl'}")


@app.command(rich_help_panel=STAGES)
def conversations(
    study: StudyFile,
    model: Annotated[
        str, typer.Option("--model", help="The model of the study that has `finetune:`.", show_default=False)
    ],
    to: Annotated[Path, typer.Option("--to", help="Empty or new folder.", show_default=False)],
    form: Annotated[
        FormatOption, typer.Option("--format", help="Who fine-tunes: TRL, LLaMA-Factory or Unsloth.")
    ] = FormatOption.trl,
    cohort: CohortFolder = None,
    out: Out = None,
    store: Store = None,
    fold: FoldOption = None,
) -> None:
    """Write the conversations that a model is fine-tuned on, with their slices (PNG), to fine-tune it elsewhere.

    No test patient is among them. The images are patients' data: mind where they go.

    Example: `gliobench conversations studies/brats2020.yaml --out runs/study --model llama-grade-100-steps --to grade`
    """
    from gliobench.study.showing.conversations import TRAIN, VALIDATION, write_conversations

    context = _ready(_context(study, cohort, out, store, fold=fold))
    learnt, validated = write_conversations(context, model, to, form.value)
    typer.echo(f"{learnt} conversations to learn from, {validated} to validate on: {to / TRAIN}, {to / VALIDATION}")


@app.command(rich_help_panel=STAGES)
def score(
    study: StudyFile, cohort: CohortFolder = None, out: Out = None, store: Store = None, fold: FoldOption = None
) -> None:
    """Score all answers with one arithmetic.

    Example: `gliobench score studies/brats.yaml --out runs/brats`
    """
    from gliobench.study.stages import score as stage

    stage.score(_context(study, cohort, out, store, fold=fold))


@app.command(rich_help_panel=STAGES)
def report(
    study: StudyFile, cohort: CohortFolder = None, out: Out = None, store: Store = None, fold: FoldOption = None
) -> None:
    """Write the report: one self-contained HTML page, Markdown and CSV beside it.

    Example: `gliobench report studies/brats.yaml --out runs/brats`
    """
    from gliobench.study.showing import report as stage

    stage.report(_context(study, cohort, out, store, fold=fold))


@app.command(rich_help_panel=ALL)
def run(
    study: StudyFile,
    cohort: CohortFolder = None,
    out: Out = None,
    store: Store = None,
    skip_bad: SkipBad = False,
    workers: Workers = 2,
    fold: FoldOption = None,
    replication: ReplicationFolder = None,
) -> None:
    """Do everything: prepare, split, train, finetune, predict, score, report. Killed, it goes on where it was.

    A study file with `replay:` scores answers that somebody holds, and needs no cohort.

    Example: `gliobench run studies/brats.yaml --cohort ~/BraTS2020 --out runs/brats`
    """
    from gliobench.study.config.replay import is_replication, read_replication
    from gliobench.study.replication.run import run_replication
    from gliobench.study.run import run_stages

    if is_replication(study):
        external = read_replication(study)
        run_replication(external, out or Path("runs") / external.name, _terminal())
    else:
        run_stages(_context(study, cohort, out, store, skip_bad, workers, fold))


@app.command(rich_help_panel=ALL)
def repair(
    run: Annotated[Path, typer.Argument(help="Output folder of a run.", show_default=False)],
) -> None:
    """Set aside what is damaged in a run folder, keep every whole record, and say what was lost.

    Afterwards `gliobench run` asks again for the lost answers, and for no other.

    Example: `gliobench repair runs/brats`
    """
    from gliobench.study.state.repair import repair as repair_folder

    said = list(repair_folder(run))
    for sentence in said or [f"{run}: nothing is damaged"]:
        typer.echo(sentence)


@app.command(rich_help_panel=AFTER)
def compare(
    runs: Annotated[list[Path], typer.Argument(help="Output folders of one or more runs.", show_default=False)],
    reference: Annotated[
        str | None, typer.Option("--reference", help="Compare every other model with this one only.")
    ] = None,
    metric: Annotated[
        list[str] | None, typer.Option("--metric", help="Only this metric, such as dice; may be given several times.")
    ] = None,
    csv: Annotated[Path | None, typer.Option("--csv", help="Also write the whole table here.")] = None,
) -> None:
    """Say whether models differ: paired by patient, with interval, corrected p, and what could have been shown.

    Example: `gliobench compare runs/brats --reference flair-blob --metric dice`
    """
    from gliobench.scoring.compare import compare_runs

    table = compare_runs(runs, reference, metrics=metric or None)
    for (task, plane, name), group in table.groupby(["task", "plane", "metric"], sort=False):
        typer.echo(f"{task}, {plane}: {name}")
        for row in group.itertuples():
            typer.echo(f"  {row.model_a} - {row.model_b}: {row.words}")
    if csv:
        table.to_csv(csv, index=False)
        typer.echo(f"the whole table: {csv}")


@app.command(rich_help_panel=AFTER)
def replay(
    answers: Annotated[Path, typer.Argument(help="Folder or file of raw answers.", show_default=False)],
    task: Annotated[
        str,
        typer.Option("--task", help="What was asked: see `gliobench list tasks`.", callback=_task, show_default=False),
    ],
    protocol: Annotated[
        ProtocolOption,
        typer.Option("--protocol", help="`standard`: every question counts. `published`: the reference study's own."),
    ] = ProtocolOption.standard,
    plane: Annotated[PlaneOption, typer.Option("--plane", help="Where the files do not say it.")] = PlaneOption.axial,
    name: Annotated[str | None, typer.Option("--name", help="The model's name. Default: the folder's.")] = None,
    coordinates: Annotated[
        str,
        typer.Option(
            "--coordinates", help=f"How the model counts: {', '.join(FAMILIES)}, or ORDER,SCALE.", callback=_convention
        ),
    ] = "as-asked",
    store: Annotated[
        Path | None, typer.Option("--store", help="Of a run's own answers: its prepared patients. Default: RUN/grid.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Also write the standard tables here, for `gliobench compare`.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="The figures to full precision on standard output, and nothing else.")
    ] = False,
) -> None:
    """Score answers that somebody holds, and say what the figures are worth.

    Reads the reference study's text files, a table of one row an answer (JSON lines, CSV, Parquet), and what a run
    was answered (RUN/answers/MODEL.jsonl), with truths from the run's prepared patients.

    Example: `gliobench replay answers/centre --task centre --protocol both`
    """
    from gliobench.replay.outcome import replay as replay_answers
    from gliobench.replay.outcome import score_external
    from gliobench.replay.printing import json_text, lines
    from gliobench.replay.tables import write_tables
    from gliobench.study.replication.own_answers import read_own, run_of

    if run_of(answers) is None:
        convention = named_convention(coordinates)
        outcome = replay_answers(answers, task, protocol.value, plane.value, name, convention)
    else:
        if coordinates != "as-asked":
            raise typer.BadParameter("a run's own answers were read as its study says: leave out --coordinates")
        external = read_own(answers, task, plane.value, published=protocol.value != "standard", store=store)
        outcome = score_external(external, name or answers.stem, protocol.value)
    if out:
        write_tables(outcome, out)
    if as_json:
        typer.echo(json_text(outcome))
        return
    for line in lines(outcome):
        typer.echo(line)


@app.command(rich_help_panel=AFTER)
def outlines(
    study: StudyFile,
    subject: Annotated[
        str | None, typer.Option("--subject", help="The patient, as the cohort names it.", show_default=False)
    ] = None,
    everybody: Annotated[
        bool, typer.Option("--all", help="Every test patient, with a gallery of slices, on one page.")
    ] = False,
    model: Names = None,
    to: Annotated[
        Path | None, typer.Option("--to", help="Folder for the figures. Default: OUT/outlines.", show_default=False)
    ] = None,
    cohort: CohortFolder = None,
    out: Out = None,
    store: Store = None,
    replication: ReplicationFolder = None,
) -> None:
    """Draw a test patient's truth and the models' answers in three dimensions, one PNG a model; with --all, everybody.

    A study file with `replay:` is drawn from the answers that it names. Killed, --all goes on where it was.

    Example: `gliobench outlines studies/brats.yaml --out runs/brats --subject BraTS20_Training_001 --model flair-blob`
    """
    from gliobench.study.config.replay import is_replication, read_replication
    from gliobench.study.replication.outlines import all_external_plates, write_external_figures
    from gliobench.study.showing.atlas import write_atlas
    from gliobench.study.showing.outlines import all_plates, write_figures

    if everybody == (subject is not None):
        raise typer.BadParameter("give either --subject PATIENT or --all")
    if is_replication(study):
        external = read_replication(study)
        folder = to or (out or Path("runs") / external.name) / "outlines"
        if subject is None:
            paths = [write_atlas(*all_external_plates(external, model), external.title, folder, _terminal())]
        else:
            paths = write_external_figures(external, subject, model, folder)
    else:
        context = _context(study, cohort, out, store)
        folder = to or context.folder.root / "outlines"
        if subject is None:
            paths = [write_atlas(*all_plates(context, model), context.study.name, folder, context.voice)]
        else:
            paths = write_figures(context, subject, model, folder)
    for path in paths:
        typer.echo(f"{path}")


@app.command(rich_help_panel=AFTER)
def answers(
    study: StudyFile,
    subject: Annotated[str, typer.Option("--subject", help="The patient, as the cohort names it.", show_default=False)],
    model: Annotated[str, typer.Option("--model", help="The model of the study.", show_default=False)],
    cohort: CohortFolder = None,
    out: Out = None,
    store: Store = None,
    replication: ReplicationFolder = None,
) -> None:
    """Print what a model said about a test patient, slice by slice; grades with their tally and the true label.

    A study file with `replay:` is printed from the answers that it names. Grades are printed as the reference study
    prints them, and `gliobench replay` reads them.

    Example: `gliobench answers studies/brats.yaml --out runs/brats --subject BraTS20_Training_001 --model flair-blob`
    """
    from gliobench.report.samples import sample_lines
    from gliobench.study.config.replay import is_replication, read_replication
    from gliobench.study.replication.samples import external_sample
    from gliobench.study.showing.samples import samples

    if is_replication(study):
        found = [external_sample(read_replication(study), subject, model)]
    else:
        found = list(samples(_context(study, cohort, out, store), subject, model))
    for sample in found:
        for line in sample_lines(sample):
            typer.echo(line)


def _terminal() -> "Terminal":
    from rich.console import Console

    from gliobench.study.state.progress import Terminal

    return Terminal(Console())


def _context(
    study: Path,
    cohort: Path | None,
    out: Path | None,
    store: Path | None,
    skip_bad: bool = False,
    workers: int = 2,
    fold: str | None = None,
    nowhere: Path | None = None,
) -> "Context":
    from gliobench.study.config.study import read_study, with_fold
    from gliobench.study.state.context import make_context

    found = with_fold(read_study(study), fold)
    return make_context(
        found,
        nowhere=nowhere,
        cohort=cohort,
        out=out,
        store=store,
        skip_bad=skip_bad,
        workers=workers,
        voice=_terminal(),
    )


def _ready(context: "Context", *, opens_cohort: bool = False) -> "Context":
    """The context, where all is there that its study names but answers to come; the study is refused else."""
    from gliobench.study.state.lacking import lacking, refuse

    refuse(lacking(context.study, context.cohort if opens_cohort else None, answered=False))
    return context


def main() -> None:
    """Entry point: a person's mistake ends in one message and exit status 2, a bug in a traceback."""
    # Read by OpenMP when torch is first imported: waiting threads sleep, or two busy processes stall each other.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from gliobench.errors import GliobenchError, printable

    try:
        app()
    except GliobenchError as error:
        typer.echo(printable(f"gliobench: {error}"), err=True)
        sys.exit(2)
    except OSError as error:  # a full disk, a folder that cannot be written: nothing that the program did wrong
        named = " and ".join(str(name) for name in (error.filename, error.filename2) if name is not None)
        typer.echo(printable(f"gliobench: {named + ': ' if named else ''}{error.strerror or error}"), err=True)
        sys.exit(2)
