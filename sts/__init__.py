"""A local AWS STS that verifies tokens, trust policies and signatures as AWS does.

The gateway beside it holds other services to the roles' policies.
"""
