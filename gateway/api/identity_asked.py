"""The body of an identity question -> claims, or the faults of each item. Values are kept as sent.

Source: contracts/gateway/README.md, "Verification at the source".
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.connectors.faults import MAX_ID_CHARS, fault
from gateway.connectors.readings import birth_date
from gateway.model.completion import Claim, Role
from gateway.model.errors import FieldError

Text = Annotated[str, Field(max_length=400)]


class Profile(BaseModel):
    """What an LMS knows of one person. Nothing is required: what is missing is part of the verdict."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=False)

    identifier: Text | None = Field(None, description="As the learner typed it; never padded or cleaned.")
    full_name: Text | None = None
    birth_date: Text | None = Field(None, description="yyyy-mm-dd or dd/mm/yyyy.", examples=["1985-03-07"])
    unit_code: Text | None = Field(None, description="School code as text.", examples=["31000717"])
    role: Text | None = Field(None, description="GV or CBQL; anything else is no statement.")

    def to_claim(self, lms_user_id: str) -> Claim:
        """A birth date that cannot be read is kept beside, like that of a completion."""
        born = birth_date(self.birth_date)
        return Claim(
            lms_user_id=lms_user_id,
            identifier=self.identifier,
            full_name=self.full_name,
            birth_date=born,
            birth_date_sent=None if born else self.birth_date,
            unit_code=self.unit_code,
            role=next((role for role in Role if role.value == self.role), None),
        )


class Question(Profile):
    """One account to verify."""

    lms_user_id: str = Field(min_length=1, max_length=MAX_ID_CHARS, description="The LMS's id of the account.")


class Saved(Question):
    """A profile that the LMS has saved. `saved` tells it from a question, whose signature would fit as well."""

    saved: Literal[True] = Field(description="Always true: the profile is saved, not only asked about.")


@dataclass(frozen=True, slots=True)
class Asked:
    """One item of the body: a claim, or why there is none."""

    claim: Claim | None
    errors: tuple[FieldError, ...] = ()


def read_question(item: dict[str, Any] | None) -> Asked:
    """One item, already parsed; None is something that is no object."""
    try:
        question = Question.model_validate(item)
    except ValidationError as error:
        return Asked(None, faults_of(error))
    return Asked(question.to_claim(question.lms_user_id))


def faults_of(error: ValidationError) -> tuple[FieldError, ...]:
    """Paths and codes; never a value."""
    found = error.errors(include_input=False, include_url=False)
    return tuple(_fault(one["loc"], one["type"]) for one in found)


def _fault(place: tuple[int | str, ...], kind: str) -> FieldError:
    if not place:
        return fault("$", "item.not_object")
    path = ".".join(("$", *map(str, place)))
    if kind in ("missing", "string_too_short"):
        return fault(path, "field.missing")
    return fault(
        path, "id.too_long" if kind == "string_too_long" and place[-1] == "lms_user_id" else "field.malformed"
    )
