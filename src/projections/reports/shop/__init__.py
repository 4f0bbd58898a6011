"""The report a store manager reads: is the pool growing, is repurchase rising, is the average order rising, who is leaving.

asking.py     which metrics it asks              verdicts.py  the answers at its top, in words
sections.py, sections_customers.py  what each chart shows and says; contents.py: their order
charts.py     charts as SVG                      page.py      one HTML page
words.py      numbers and periods as they are written
It computes no figure of its own: every number is one that a metric gave, or the difference of two.
"""
