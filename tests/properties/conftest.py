"""How long Hypothesis searches: seconds in `make fast` and `make test`, hours in `make campaign`."""

from hypothesis import HealthCheck, settings

settings.register_profile("domain", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("domain")
