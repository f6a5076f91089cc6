"""The plugin in an Airflow process: found, and in nobody's way."""

from textwrap import dedent

import pytest

pytestmark = pytest.mark.slow


def test_the_plugin_takes_no_name_of_a_package(python):
    """Airflow imports a file of its plugins folder as a module of that name, whatever module had it before."""
    plugins, errors, names = python(
        dedent("""
        import json
        from airflow.plugins_manager import get_import_errors, get_plugin_info
        plugins = [plugin["name"] for plugin in get_plugin_info()]
        import kilnworks
        print(json.dumps([plugins, get_import_errors(), kilnworks.names()]))
    """)
    )
    assert "kilnworks" in plugins and errors == {} and "toy" in names
