"""What a reader gets: the run report and the decision records of the gates.

``report.write_report`` makes the page; ``summary.run_summary`` the one-line form;
``kilnworks.schemas.decision.DecisionRecord`` is what every gate leaves behind.
"""
