"""The container that documents lie in: made where it is missing, refused where it is of another make."""

from __future__ import annotations

from typing import Any, Final

from azure.cosmos import PartitionKey
from azure.cosmos.aio import ContainerProxy, CosmosClient
from azure.cosmos.exceptions import CosmosHttpResponseError, CosmosResourceNotFoundError

from orgbridge.store.document_errors import DocumentsRefused

#: The property that parts documents.
PARTITION_PATH: Final = "/organization_id"
#: Items live as long as they say themselves, else for ever.
_ITEMS_DECIDE: Final = -1
#: Bodies are never searched: without an index of them a write costs a fraction.
_INDEXING: Final[dict[str, Any]] = {
    "indexingMode": "consistent",
    "automatic": True,
    "includedPaths": [{"path": "/*"}],
    "excludedPaths": [{"path": "/body/*"}, {"path": '/"_etag"/?'}],
}


async def open_container(client: CosmosClient, database: str, name: str) -> ContainerProxy:
    """Return the container.

    Args:
        client: Of the account.
        database: Its name.
        name: The container's name.

    Raises:
        DocumentsRefused: It is of another make, or is missing and may not be made; nothing was changed.
        CosmosHttpResponseError: Cosmos DB refuses or does not answer.
    """
    # The client looks at the account before its first request; entering twice does no harm.
    await client.__aenter__()
    container = client.get_database_client(database).get_container_client(name)
    try:
        properties = dict(await container.read())
    except CosmosResourceNotFoundError:
        properties = await _make(client, database, name)
        container = client.get_database_client(database).get_container_client(name)
    paths = (properties.get("partitionKey") or {}).get("paths")
    if paths != [PARTITION_PATH]:
        raise DocumentsRefused(
            f"The container {name} of the database {database} is parted by {paths}, not by {PARTITION_PATH}: "
            "name another database in AZURE_COSMOS_DATABASE, or remove that container."
        )
    if properties.get("defaultTtl") is None:
        raise DocumentsRefused(
            f"The container {name} of the database {database} has its time to live switched off: set it to "
            f"'on (no default)' ({_ITEMS_DECIDE}), so that documents end when they should."
        )
    return container


async def _make(client: CosmosClient, database: str, name: str) -> dict[str, Any]:
    try:
        made = await client.create_database_if_not_exists(database)
        container = await made.create_container_if_not_exists(
            name, PartitionKey(PARTITION_PATH), default_ttl=_ITEMS_DECIDE, indexing_policy=_INDEXING
        )
        return dict(await container.read())
    except CosmosHttpResponseError as error:
        if error.status_code not in (401, 403):
            raise
        raise DocumentsRefused(
            f"There is no container {name} in the database {database}, and this service may not make it: make it with "
            f"the partition key {PARTITION_PATH} and time to live {_ITEMS_DECIDE}."
        ) from error
