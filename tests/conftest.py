"""What every test may ask for."""

from hypothesis import settings

pytest_plugins = ["tests.cluster.fixtures", "tests.sts.fixtures"]

# A busy machine is no bug of the code under test: no example fails for the time that it took.
settings.register_profile("irsa", deadline=None)
settings.load_profile("irsa")
