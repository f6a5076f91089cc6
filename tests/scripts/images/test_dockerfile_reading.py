"""A Dockerfile as stages, and what a container of each starts with."""

import pytest

from scripts.images.dockerfile import lineage, settings, stages

TEXT = """
ARG BASE=3.11
# a remark
FROM python:${BASE} AS below
ENV A=1 B="two words"
WORKDIR /work
RUN echo one \\
    && echo two
USER 7:8

FROM below AS above
ENV A=3
ENTRYPOINT ["start", "--now"]
CMD ["a b"]
HEALTHCHECK --interval=3s CMD ["ask", "it"]

FROM above AS top
ENTRYPOINT ["other"]
"""


@pytest.fixture
def read(tmp_path):
    path = tmp_path / "Dockerfile"
    path.write_text(TEXT.lstrip())
    return stages(path)


def test_stages_build_upon_one_another(read):
    assert list(read) == ["below", "above", "top"] and read["below"].base == "python:3.11"
    assert [stage.name for stage in lineage(read, "top")] == ["below", "above", "top"]
    assert read["below"].changes_files() and not read["above"].changes_files()
    [run] = [one for one in read["below"].instructions if one.word == "RUN"]
    assert run.line == 6 and run.value.split() == ["echo", "one", "&&", "echo", "two"]


def test_settings_are_those_of_the_last_word(read):
    found = settings(read, "above")
    assert found.environment == {"A": "3", "B": "two words"} and settings(read, "below").environment["A"] == "1"
    assert (found.workdir, found.user) == ("/work", "7:8")
    assert (found.entrypoint, found.command, found.health) == (["start", "--now"], ["a b"], ["ask", "it"])
    assert settings(read, "top").command == [], "another entry point takes no arguments of the first"
