from hypothesis import settings

from tests.properties.machine import Everything

TestShop = Everything.TestCase
TestShop.settings = settings(max_examples=100, stateful_step_count=15)
