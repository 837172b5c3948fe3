"""A control: the image of somebody else."""

from collections.abc import Sequence

from gliobench.grid.controls.base import Control
from gliobench.grid.prepared import PreparedSubject


class Other(Control):
    """The image of another patient at the same place of the grid. One of another class where there is one, so that a
    model which reads the class from the image has to change its answer."""

    name = "other"
    summary = "the image of another test patient, of another class where there is one"
    words = "another patient's image"
    unmoved = "whose image it is"
    lacking = "there is no other test patient"

    def alter(self, subject: PreparedSubject, others: Sequence[PreparedSubject]) -> PreparedSubject | None:
        strangers = [one for one in others if one.patient != subject.patient and one.image.shape == subject.image.shape]
        unlike = [one for one in strangers if one.grade != subject.grade]
        if not strangers:
            return None
        donor = (unlike or strangers)[0]
        return self.with_image(subject, donor.image, donor.content)


OTHER = Other()
