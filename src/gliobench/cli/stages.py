"""The stages of a study, one command per stage."""

from pathlib import Path
from typing import Annotated

import typer

from gliobench.cli.context import checked, open_context
from gliobench.cli.options import (
    CohortFolder,
    FoldOption,
    FormatOption,
    Names,
    Out,
    PlaneOption,
    SkipBad,
    Store,
    StudyFile,
    Workers,
    as_shard,
)


def prepare(
    study: StudyFile,
    cohort: CohortFolder = None,
    out: Out = None,
    store: Store = None,
    skip_bad: SkipBad = False,
    workers: Workers = 2,
) -> None:
    """Check every patient and resample the images to the common grid.

    Example: `gliobench prepare studies/brats.yaml --cohort ~/BraTS2020 --out runs/brats`
    """
    from gliobench.study.stages import prepare as stage

    stage.prepare(checked(open_context(study, cohort, out, store, skip_bad, workers), opens_cohort=True))


def look(
    study: StudyFile,
    subject: Annotated[str, typer.Option("--subject", help="Patient id, as in the cohort.", show_default=False)],
    plane: Annotated[
        PlaneOption | None, typer.Option("--plane", help="Default: the study's first plane.", show_default=False)
    ] = None,
    index: Annotated[
        int | None,
        typer.Option("--slice", help="Slice index. Default: the slice with most of the target.", show_default=False),
    ] = None,
    model: Names = None,
    to: Annotated[
        Path | None,
        typer.Option("--to", help="HTML file to write. Default: OUT/look/PATIENT-….html.", show_default=False),
    ] = None,
    cohort: CohortFolder = None,
    out: Out = None,
    store: Store = None,
) -> None:
    """Show one patient before inference: the modalities, the truth, and what each language model will see.

    One HTML page of one slice, with every prompt and its true answer. No other patient is prepared. The page shows
    the truth and is patient data: take care where you keep it.

    Example: `gliobench look studies/brats.yaml --cohort ~/BraTS2020 --subject BraTS20_Training_001`
    """
    from gliobench.study.showing.look import look as look_at

    context = open_context(study, cohort, out, store)
    path = look_at(context, subject, plane=plane.value if plane else None, index=index, models=model, to=to)
    typer.echo(f"{path}")


def split(study: StudyFile, cohort: CohortFolder = None, out: Out = None, store: Store = None) -> None:
    """Split the patients into training, validation and test.

    Example: `gliobench split studies/brats.yaml --out runs/brats`
    """
    from gliobench.study.stages import split as stage

    stage.split(checked(open_context(study, cohort, out, store)))


def train(
    study: StudyFile,
    model: Names = None,
    cohort: CohortFolder = None,
    out: Out = None,
    store: Store = None,
    fold: FoldOption = None,
) -> None:
    """Train the study's 3D networks; resumes from the last epoch after interruption.

    Example: `gliobench train studies/segmentation.yaml --out runs/cv --model study-segmenter --fold all`
    """
    from gliobench.study.run import learn

    learn(checked(open_context(study, cohort, out, store, fold=fold)), model or None)


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
            "--push-to", help="Afterwards upload the adapter to this private repository on the Hub.", metavar="REPO"
        ),
    ] = None,
) -> None:
    """Fine-tune language models whose entry has `finetune`; resumes from the last evaluation after interruption.

    Example: `gliobench finetune studies/brats2020-fair.yaml --out runs/fair --model llama-finetuned`
    """
    from gliobench.study.stages import finetune as stage

    stage.finetune(checked(open_context(study, cohort, out, store, fold=fold)), model or None, push_to, alone=True)


def predict(
    study: StudyFile,
    model: Names = None,
    cohort: CohortFolder = None,
    out: Out = None,
    store: Store = None,
    fold: FoldOption = None,
    shard: Annotated[
        str | None,
        typer.Option(
            "--shard",
            help="Only part I of N of the patients, such as 2/4, of a model asked slice by slice; several processes, "
            "here or on other machines, can ask the parts at once. Afterwards run `predict` without it.",
            metavar="I/N",
        ),
    ] = None,
    export_nifti: Annotated[
        Path | None,
        typer.Option(
            "--export-nifti", help="Folder to write masks to as NIfTI, in the voxel space of each patient's scan."
        ),
    ] = None,
) -> None:
    """Run inference; cached answers are reused.

    Example: `gliobench predict studies/brats.yaml --out runs/brats --model study-segmenter --export-nifti masks`
    """
    from gliobench.study.showing.export import export_masks
    from gliobench.study.stages import predict as stage

    context = checked(open_context(study, cohort, out, store, fold=fold))
    stage.predict(context, model or None, as_shard(shard))
    if export_nifti is not None:
        written = export_masks(context, export_nifti, model or None)
        typer.echo(f"{len(written)} masks in the space of the patients' scans: {export_nifti}")


def questions(
    study: StudyFile,
    model: Annotated[
        str, typer.Option("--model", help="The model of the study whose questions are exported.", show_default=False)
    ],
    to: Annotated[Path, typer.Option("--to", help="Folder for the images and questions.jsonl.", show_default=False)],
    cohort: CohortFolder = None,
    out: Out = None,
    store: Store = None,
    fold: FoldOption = None,
) -> None:
    """Export slices (PNG) and questions (JSON lines), to query a model elsewhere (see `kind: replay`).

    The images are patient data: take care where you keep them.

    Example: `gliobench questions studies/brats2020-fair.yaml --out runs/fair --model llama-general --to questions`
    """
    from gliobench.study.showing.export_questions import write_questions

    written = write_questions(checked(open_context(study, cohort, out, store, fold=fold)), model, to)
    typer.echo(f"{written} questions: {to / 'questions.jsonl'}")


def conversations(
    study: StudyFile,
    model: Annotated[
        str, typer.Option("--model", help="The model of the study that has `finetune:`.", show_default=False)
    ],
    to: Annotated[Path, typer.Option("--to", help="Empty or new folder.", show_default=False)],
    form: Annotated[
        FormatOption, typer.Option("--format", help="Format of TRL, LLaMA-Factory or Unsloth.")
    ] = FormatOption.trl,
    cohort: CohortFolder = None,
    out: Out = None,
    store: Store = None,
    fold: FoldOption = None,
) -> None:
    """Export the conversations that a model is fine-tuned on, with their slices (PNG), to fine-tune it elsewhere.

    Test patients are left out. The images are patient data: take care where you keep them.

    Example: `gliobench conversations studies/brats2020.yaml --out runs/study --model llama-grade-100-steps --to grade`
    """
    from gliobench.study.showing.conversations import TRAIN, VALIDATION, write_conversations

    context = checked(open_context(study, cohort, out, store, fold=fold))
    training, validation = write_conversations(context, model, to, form.value)
    typer.echo(f"{training} training and {validation} validation conversations: {to / TRAIN}, {to / VALIDATION}")


def score(
    study: StudyFile, cohort: CohortFolder = None, out: Out = None, store: Store = None, fold: FoldOption = None
) -> None:
    """Score the answers of all models, with the same metrics for all.

    Example: `gliobench score studies/brats.yaml --out runs/brats`
    """
    from gliobench.study.stages import score as stage

    stage.score(open_context(study, cohort, out, store, fold=fold))


def curve(
    study: StudyFile,
    cohort: CohortFolder = None,
    out: Out = None,
    store: Store = None,
    workers: Workers = 2,
    fold: FoldOption = None,
) -> None:
    """Train the models on fewer patients too, for the study's `learning_curve:`; resumes after interruption.

    Example: `gliobench curve studies/lesions.yaml --out runs/lesions`
    """
    from gliobench.study.stages import curve as stage

    context = checked(open_context(study, cohort, out, store, workers=workers, fold=fold))
    if context.study.learning_curve is None:
        raise typer.BadParameter(f"{study} has no `learning_curve:`, such as {{sizes: [5, 10, 20, 40], repeats: 3}}")
    stage.curve(context)


def seeds(
    study: StudyFile,
    cohort: CohortFolder = None,
    out: Out = None,
    store: Store = None,
    workers: Workers = 2,
    fold: FoldOption = None,
) -> None:
    """Train and ask the models with further seeds, for the study's `seeds:`; resumes after interruption.

    Example: `gliobench seeds studies/lesions.yaml --out runs/lesions`
    """
    from gliobench.study.stages import seeds as stage

    context = checked(open_context(study, cohort, out, store, workers=workers, fold=fold))
    if context.study.seeds is None:
        raise typer.BadParameter(f"{study} has no `seeds:`, such as 3")
    stage.seeds(context)


def sensitivity(
    study: StudyFile,
    cohort: CohortFolder = None,
    out: Out = None,
    store: Store = None,
    workers: Workers = 2,
    fold: FoldOption = None,
) -> None:
    """Ask language models in other words and with other views, for the study's `sensitivity:`.

    Resumes after interruption.

    Example: `gliobench sensitivity studies/brats.yaml --out runs/brats`
    """
    from gliobench.study.stages import sensitivity as stage

    context = checked(open_context(study, cohort, out, store, workers=workers, fold=fold))
    if context.study.sensitivity is None:
        raise typer.BadParameter(f"{study} has no `sensitivity:`, such as {{prompts: [terse, expert, form]}}")
    stage.sensitivity(context)


def report(
    study: StudyFile, cohort: CohortFolder = None, out: Out = None, store: Store = None, fold: FoldOption = None
) -> None:
    """Write the report: one self-contained HTML page, with Markdown and CSV.

    Example: `gliobench report studies/brats.yaml --out runs/brats`
    """
    from gliobench.study.showing import report as stage

    stage.report(open_context(study, cohort, out, store, fold=fold))
