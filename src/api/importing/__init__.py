"""Importing files: rows become orders, orders become events, and events are posted through the same writer as any other.

`mapping` says which column is what, `readers` give rows, `orders` gathers rows into orders, `events` makes commands of
orders, `runner` posts them and ties the money out.
"""
