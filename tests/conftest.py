"""What every test shares."""

from hypothesis import settings

settings.register_profile("aad", deadline=None)  # no time is asserted: the machine may be busy
settings.load_profile("aad")
