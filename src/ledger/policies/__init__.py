"""Policies: processes that follow the log and post. Their ids derive from their cause, so running one twice changes nothing."""
