"""Which of several runs is better, and is that more than chance?

`paired_tests` has the statistics, `same_images` brings the answers of two runs together,
`compared_runs` reads the runs, `ranking` compares them all, and `report` puts it into words.
"""
