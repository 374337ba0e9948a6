"""What every server needs and none is about: TLS, listeners, health, logs, metrics, the life of the process."""
