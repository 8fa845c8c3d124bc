"""Where images come from: folders, CSV, JSON Lines, TFRecord, built-in and known data sets."""
