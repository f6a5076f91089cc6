"""Kinds of sources that go on from one period to the next, by what they are about."""
