"""Which attributes of a layer Keras passes over when it writes or reads a ``.keras`` file, found out once.

Keras looks at every attribute of each layer but for those that any layer has. It keeps these names under
``saving_attr_skipset_...`` and looks for them under ``saving_attr_skiplist_...`` (3.15.1), so that it makes a new layer
to ask for them at each layer of the model: a sixth of the time that a file of many small layers takes.
"""

from functools import cache


def remember_what_is_skipped() -> None:
    """From now on each kind of object is asked once in this process; again changes nothing.

    Where a version of Keras has no such function, it is left as it is.
    """
    from keras.src.saving import saving_lib

    asked = getattr(saving_lib, "get_attr_skipset", None)
    if asked is not None and not hasattr(asked, "cache_info"):
        saving_lib.get_attr_skipset = cache(asked)
