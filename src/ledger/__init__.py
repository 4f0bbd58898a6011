"""The write side: decides what an event does to a customer's account and appends the records."""
