"""Files as they come: which count, what is inside, how a text begins, and errors in plain words.

Every command and source reads through these, so that all of them say the same about the same file.
"""
