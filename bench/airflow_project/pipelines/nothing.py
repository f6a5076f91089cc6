"""Six steps that do nothing, a task each: what a task costs."""

from dataclasses import replace

from bench.noop import PIPELINE

NOTHING = replace(PIPELINE, name="nothing")
