"""The body of a preflight -> its course and its learners, or what is wrong with each of them."""

from datetime import date
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from gateway.api.identity_asked import Question
from gateway.connectors.faults import MAX_ID_CHARS
from gateway.connectors.readings import module_hint, school_year
from gateway.model.completion import Course

MAX_LEARNERS = 100


class ListedCourse(BaseModel):
    """The course as the completions will name it."""

    model_config = ConfigDict(extra="ignore")

    course_id: str = Field(min_length=1, max_length=MAX_ID_CHARS, description="The course's id in the LMS.")
    course_code: str | None = Field(None, max_length=400, examples=["GVPT 03"])
    title: str | None = Field(None, max_length=400)
    school_year: str | None = Field(None, max_length=40, examples=["2025-2026"])

    def to_course(self) -> Course:
        return Course(
            course_id=self.course_id,
            course_code=self.course_code,
            module_hint=module_hint(self.course_code, self.title),
            title=self.title,
            school_year=school_year(self.school_year),
        )


class ClassList(BaseModel):
    """A class. A larger one is sent in pages of at most 100 learners, each with the course."""

    model_config = ConfigDict(extra="ignore")

    course: ListedCourse
    ends_on: date | None = Field(None, description="When it will be completed; without it today counts.")
    learners: list[Any] = Field(min_length=1, max_length=MAX_LEARNERS)


def schema() -> dict[str, Any]:
    """The JSON Schema of the body, its learners described as what they are."""
    document = ClassList.model_json_schema()
    learner = Question.model_json_schema()
    document["properties"]["learners"]["items"] = learner
    return document
