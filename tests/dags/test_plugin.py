"""The plugin in an Airflow process: found by its entry point, and in nobody's way."""

from textwrap import dedent

import pytest

pytestmark = pytest.mark.slow


def test_the_plugin_takes_no_name_of_a_package(interpreter, tmp_path):
    """Airflow imports a file of its plugins folder as a module of that name; the folder of a team stays theirs."""
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins/theirs.py").write_text(
        "from airflow.plugins_manager import AirflowPlugin\n\n\nclass Theirs(AirflowPlugin):\n    name = 'theirs'\n"
    )
    plugins, errors, names = interpreter(
        dedent("""
        import json
        from airflow.plugins_manager import get_import_errors, get_plugin_info
        plugins = {plugin["name"]: str(plugin["source"]) for plugin in get_plugin_info()}
        import kilnworks
        print(json.dumps([plugins, get_import_errors(), kilnworks.names()]))
    """),
        AIRFLOW__CORE__PLUGINS_FOLDER=str(tmp_path / "plugins"),
    )
    assert plugins["kilnworks"].startswith("kilnworks==") and plugins["theirs"] == "$PLUGINS_FOLDER/theirs.py"
    assert errors == {} and "toy" in names
