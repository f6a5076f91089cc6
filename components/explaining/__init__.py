"""Why a model answers as it does: integrated gradients, importance with intervals, nearest training rows."""
