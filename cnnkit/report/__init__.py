"""The report of a run, or of a comparison: one HTML file to hand on; and the model card."""

from cnnkit.report.after_training import report_after_training
from cnnkit.report.comparison_page import write_comparison_page
from cnnkit.report.reported_run import check_place, report_on
from cnnkit.report.run_report import WrittenReport, write_report

__all__ = [
    "WrittenReport",
    "check_place",
    "report_after_training",
    "report_on",
    "write_comparison_page",
    "write_report",
]
