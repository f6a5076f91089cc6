"""Which settings of a step a report shows."""

from kilnworks.components.reporting.sections.steps import for_people


def test_statistics_of_a_contract_are_not_shown() -> None:
    config = {"contract": {"reference": {"rows": 3, "sketch": "eJx" * 1000}, "checks": [{"sketch": ""}]}, "seed": 1}
    assert for_people(config) == {
        "contract": {"reference": {"rows": 3, "sketch": "..."}, "checks": [{"sketch": ""}]},
        "seed": 1,
    }
    assert config["contract"]["reference"]["sketch"].startswith("eJx"), "what is stored stays"
