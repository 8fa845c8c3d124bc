"""The sections of a report: each turns facts of a run into the values of its template."""
