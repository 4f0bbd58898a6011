"""The tie-out: the fold of the streams = heads = read models = twin, to the last point and the last cent.

    figures.py   what is compared of a customer        streams.py   the fold: what each side must say
    sides.py     what each side says                   tying.py     ranges of customers, one after the other

Each side is held against the fold at the very position it stands at: heads at their last record, a read model at its
checkpoint, the twin at the cut-offs that are asked for. So what lags is no difference, and what differs has no excuse.
"""
