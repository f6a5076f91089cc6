"""``docker/Dockerfile``: linted, pinned, without root, with a health check in each target."""

import re
import subprocess

import pytest

from kilnworks.schemas.extras import ALONE
from scripts.images.dockerfile import DOCKERFILE, lineage, settings, stages
from tests import needed
from tests.docker.written import OURS, ROOT

STAGES = stages()
PACKAGES = {"schemas", "components", "pipelines", "dags", "kilnworks", "kilnworks_client"}
EXTRAS = {
    "pipeline-packages": {"train", "airflow", "postgres", "mlflow", "spark"},
    "serve-packages": {"serve"},
}
"""Stage -> the extras of its environment."""
ENVIRONMENTS = {
    "worker": "pipeline-packages",
    "airflow": "pipeline-packages",
    "serve": "serve-packages",
    "client": "client-packages",
}


def test_the_linter_has_nothing_to_say():
    done = subprocess.run([needed.hadolint(), DOCKERFILE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("name", OURS)
def test_a_target_has_one_environment_and_those_of_pipelines_share_its_layers(name):
    chain = lineage(STAGES, name)
    places = [one.value.split()[0] for stage in chain for one in stage.instructions if one.word == "COPY"]
    assert set(places) == {f"--from={ENVIRONMENTS[name]}"}
    shared = ["runtime", "pipelines"] if ENVIRONMENTS[name] == "pipeline-packages" else ["runtime"]
    assert [stage.name for stage in chain] == [*shared, name]
    assert STAGES[name].changes_files() == ("pipelines" not in shared)


def test_an_environment_holds_its_extras_and_pipelines_have_all_but_the_server():
    for name in set(ENVIRONMENTS.values()):
        text = "".join(one.value for stage in lineage(STAGES, name) for one in stage.instructions)
        assert set(re.findall(r"--extra (\w+)", text)) == EXTRAS.get(name, set())
        assert ("./kilnworks_client" in text) == (name == "client-packages")
    assert EXTRAS["pipeline-packages"] | EXTRAS["serve-packages"] | {"data", "hub"} == set(ALONE)


@pytest.mark.parametrize("name", OURS)
def test_a_target_runs_without_root_says_how_it_is_and_starts_by_itself(name):
    found = settings(STAGES, name)
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", found.user), "numeric, so that Kubernetes can tell that it is not root"
    assert found.health and (found.entrypoint or found.command)
    own = [one.word for one in STAGES[name].instructions]
    assert own.count("HEALTHCHECK") == 1 and own.count("CMD") == 1


def test_every_base_is_pinned_and_every_package_comes_from_the_lock():
    bases = {stage.base for stage in STAGES.values()} - set(STAGES)
    assert all(re.fullmatch(r"python:3\.1[123]\.\d+-slim-\w+", base) for base in bases), bases
    for stage in STAGES.values():
        for one in stage.instructions:
            assert one.word != "ADD" and "curl" not in one.value and "latest" not in one.value
            for command in re.split(r"&&", one.value) if one.word == "RUN" else ():
                if "pip install" in command:
                    assert "--constraint requirements.txt" in command or "--no-deps" in command, command


def test_the_build_sees_our_packages_and_nothing_else():
    stages_with_files = [STAGES[name] for name in ("builder", "code", "client-packages")]
    instructions = [one for stage in stages_with_files for one in stage.instructions]
    copied = [one.value.split() for one in instructions if one.word == "COPY"]
    sources = {name for words in copied for name in words[:-1]}
    ignored = (DOCKERFILE.parent / "Dockerfile.dockerignore").read_text().splitlines()
    assert "*" in ignored and {line[1:] for line in ignored if line.startswith("!")} == sources
    assert {name for name in sources if (ROOT / name).is_dir()} == PACKAGES
    assert all((ROOT / name).exists() for name in sources)


def test_health_checks_ask_for_programs_that_the_image_has():
    for name in OURS:
        program, *rest = settings(STAGES, name).health
        assert program in ("kilnworks", "python")
        assert program != "python" or (rest[0] == "/opt/kilnworks/docker/healthy.py" and len(rest) >= 2)
