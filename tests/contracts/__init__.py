"""What every registered task, reader, metric, trivial rule and network must do, whoever wrote it."""
