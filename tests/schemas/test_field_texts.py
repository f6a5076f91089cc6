"""The texts below the fields of a config."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from kilnworks.schemas.config import Config
from kilnworks.schemas.field_texts import field_texts


class Read(BaseModel):
    """Pydantic reads this one itself."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    first: int = 1
    """Of one line."""
    silent: int = 2
    """Of nothing."""
    second: str = "over lines"
    """Of several
        lines.

    Indented in part.
    """
    named: ClassVar[int] = 3
    """Of the class."""
    third: float

    def method(self) -> None:
        """Of a method."""

    class Inner(Config):
        inner: int = 1
        """Inside."""


def test_they_are_those_that_pydantic_reads():
    texts = field_texts(Read)
    assert {name: texts.get(name) for name in Read.model_fields} == {
        name: field.description for name, field in Read.model_fields.items()
    }
    assert texts["first"] == "Of one line." and texts["second"].startswith("Of several\n") and "third" not in texts
    assert "method" not in texts and "inner" not in texts


def test_of_a_class_inside_of_another_one():
    assert field_texts(Read.Inner) == {"inner": "Inside."}


def test_without_a_source_there_are_none():
    scope = {"Config": Config}
    exec('class Typed(Config):\n    field: int = 1\n    """Lost."""', scope)
    assert field_texts(scope["Typed"]) == {}
