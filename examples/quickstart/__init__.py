"""The demo: one annotated ServiceAccount, one pod, and what is refused."""
