"""Several readers' answers about one patient as one, by majority."""

from collections.abc import Sequence

import numpy as np

from gliobench.cohort.problem import Problem
from gliobench.models.base.classified import class_probability_of, scored
from gliobench.models.base.operating_point import ClassProbability
from gliobench.models.base.prediction import Prediction, Question
from gliobench.scoring.votes import Votes, count_votes
from gliobench.tasks.answer import Answered
from gliobench.tasks.geometry import Grade, VolumeMask
from gliobench.tasks.grade import GRADE


def majority(question: Question, said: Sequence[Prediction]) -> Prediction:
    """The majority of the readers who answered; the first one's failure where none did.

    Of classes the one with the most votes, in a tie the lower number, with the mean of the readers' probabilities, or
    where not all of them give any the proportion of their votes. Of masks what at least half of them marked.
    """
    answered = [one for one in said if isinstance(one.answer, Answered)]
    if not answered:
        return said[0]
    if question.task == GRADE.name:
        return _class(question, answered)
    values = [one.answer.value for one in answered if isinstance(one.answer, Answered)]
    masks = [np.asarray(value.voxels) for value in values if isinstance(value, VolumeMask)]
    return Prediction(question, Answered(VolumeMask(2 * np.sum(masks, axis=0) >= len(masks))))


def _class(question: Question, said: Sequence[Prediction]) -> Prediction:
    votes = count_votes([one.answer for one in said], question.subject.problem)
    counts = (*votes.counts, votes.none)
    probability = _mean(said)
    score, probabilities = scored(_shares(votes, question.subject.problem) if probability is None else probability)
    return Prediction(question, Answered(Grade(counts.index(max(counts)))), score=score, probabilities=probabilities)


def _mean(said: Sequence[Prediction]) -> ClassProbability | None:
    """The mean of the readers' own probabilities, None where not all of them give any."""
    given = [class_probability_of(one.score, one.probabilities) for one in said]
    known = [probability for probability in given if probability is not None]
    return sum(known) / len(known) if len(known) == len(given) else None


def _shares(votes: Votes, problem: Problem) -> ClassProbability | None:
    """The proportion of the votes, None where all say that there is no target."""
    if not sum(votes.counts):
        return None
    return np.array(votes.shares) if problem.several else votes.shares[problem.positive_class]
