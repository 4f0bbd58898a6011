"""The server of the API's tests."""

from tests.api.conftest import service

__all__ = ["service"]
