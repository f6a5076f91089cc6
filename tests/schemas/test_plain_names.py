"""Models load from folders of any name: TensorFlow takes ``[1]`` in the path of a model for a pattern."""

import pytest

from kilnworks.schemas.files import plainly_named

NAMES = ("a[1]", "a*", "a?", "a{1,2}", "a\\b")


@pytest.mark.parametrize("name", NAMES)
def test_a_link_stands_for_a_folder_whose_name_is_a_pattern(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    (folder / "x").write_text("here")
    with plainly_named(folder) as place:
        assert name not in str(place) and (place / "x").read_text() == "here"
    assert (folder / "x").read_text() == "here" and not place.exists()


def test_other_folders_are_themselves(tmp_path):
    with plainly_named(tmp_path) as place:
        assert place == tmp_path


@pytest.mark.slow
def test_a_server_loads_a_model_from_folders_of_any_name(tmp_path):
    import tensorflow as tf

    from kilnworks.components.serving.loading.saved_model import load_saved_model

    module = tf.Module()
    module.weight = tf.Variable(2.0)
    module.ask = tf.function(lambda x: {"y": module.weight * x}, input_signature=[tf.TensorSpec([], tf.float32)])
    for name in NAMES:
        tf.saved_model.save(module, str(tmp_path / name / "1"))
        loaded = load_saved_model(str(tmp_path / name / "1"))
        asked = loaded.signature_defs["serving_default"]
        assert loaded.session.run(asked.outputs["y"].name, {asked.inputs["x"].name: 3.0}) == 6.0
        loaded.close()
