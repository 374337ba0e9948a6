"""Admission: pods whose ServiceAccount names a role get a token and the variables that AWS SDKs read."""
