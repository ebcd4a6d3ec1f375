"""Documents of machines: telemetry readings, KPIs, service notes. In the database, or in Azure Cosmos DB.

Cosmos DB is in `cosmos`, imported by whoever has it: Azure's library takes longer to load than the rest of a start.
"""

from orgbridge.store.documents.protocol import DocumentBackend, DocumentStore
from orgbridge.store.documents.sql import SQLDocuments

__all__ = ["DocumentBackend", "DocumentStore", "SQLDocuments"]
