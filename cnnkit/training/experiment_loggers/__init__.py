"""Programs that collect the numbers of many trainings: MLflow and Trackio, `training.loggers`."""

from cnnkit.training.experiment_loggers.epoch_loggers import (
    EpochLoggers,
    check_loggers,
    logging_to,
)

__all__ = ["EpochLoggers", "check_loggers", "logging_to"]
