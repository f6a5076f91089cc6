"""The same contract checked where the rows are: on a Spark cluster, or inside a database."""
