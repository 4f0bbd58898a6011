"""Read models in PostgreSQL: rows folded from the log, for search, filter and sort.

One loop folds (`runner`). Rows and checkpoint commit together. A model has a version; another version is built beside the one
that answers and takes its place, log by log, when it has caught up.
"""

from projections.models.customers import CUSTOMERS
from projections.models.model import Model
from projections.models.orders import ORDERS

__all__ = ["MODELS", "Model"]

MODELS: dict[str, Model] = {model.name: model for model in (CUSTOMERS, ORDERS)}
