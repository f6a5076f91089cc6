"""How good a model is: metrics with intervals, curves, calibration, slices and the gate."""
