"""JSON bodies of the REST interface to arrays and back, as TensorFlow Serving reads and writes them.

=============  =====================================================================================
``document``   bytes -> Python values; first of duplicate keys wins, text after the object is ignored
``dense``      short cut for one regular list of numbers, both ways: what most clients send and get
``tensors``    values -> arrays by the rules of each dtype
``predict``    body of ``:predict``, row and column form
``examples``   body of ``:classify`` and ``:regress`` -> serialized ``tf.Example``
``write``      arrays, classes and values -> JSON
``debug``      how a JSON value is quoted in an error text
=============  =====================================================================================
"""
