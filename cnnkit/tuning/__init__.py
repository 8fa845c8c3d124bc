"""Search the values of a config that give the best validation score.

Where to find what:
    a study begun, continued and ended    tune_config
    its settings, its storage             study_settings, study
    what is tried next, and by whom       next_trial
    one trial                             one_trial
    trials until it is enough             search_loop; in several processes: search_processes
    the trainings with other seeds        final_trainings, final_comparison
    what is printed and written           study_result

Nothing is imported here: Optuna is an extra, and takes a second to import.
"""
