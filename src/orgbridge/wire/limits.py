"""Documented limits of the platform. Each constant names its source in facts/salesforce."""

#: Bytes of one ingest job's CSV; the platform counts 150 MB after base64. Source: bulk2.md section 4.
INGEST_JOB_BYTES = 100_000_000
#: Records the platform puts into one internal batch of an ingest job. Source: bulk2.md section 3.
INGEST_BATCH_RECORDS = 10_000
#: Characters of the CSV header. Source: bulk2.md section 4.
INGEST_HEADER_CHARS = 32_000
#: Characters in one record of a CSV. Source: bulk2.md section 11.
INGEST_RECORD_CHARS = 400_000
#: Fields in one record of a CSV. Source: bulk2.md section 11.
INGEST_RECORD_FIELDS = 5_000
#: Batches of Bulk API in a rolling day. Source: bulk2.md section 11.
DAILY_BULK_BATCHES = 15_000
#: Records in one sObject Collections call. Source: composite.md section 5.
COLLECTION_RECORDS = 200
#: Runs of one object type in a collections call. Source: composite.md section 5.
COLLECTION_CHUNKS = 10
#: Records in one collections retrieve by POST. Source: composite.md section 5.
COLLECTION_RETRIEVE_IDS = 2_000
#: Smallest, largest and usual size of a query page. Source: soql.md section 1.
QUERY_PAGE_MIN, QUERY_PAGE_MAX, QUERY_PAGE_DEFAULT = 200, 2_000, 2_000
#: Bytes of a URI with its headers. Source: rest.md, head.
URI_BYTES = 16_384
#: Characters of a SOQL statement. Source: soql.md section 2.
SOQL_CHARS = 100_000
#: Largest OFFSET of SOQL. Source: soql.md section 2.
SOQL_OFFSET = 2_000
#: Seconds that a session lives without use under the default policy. Source: auth.md section 1.
SESSION_SECONDS = 7_200
#: Subrequests of a composite call, and how many of them may be queries or collections. Source: composite.md, table.
COMPOSITE_SUBREQUESTS, COMPOSITE_QUERIES = 25, 5
#: Subrequests of a composite batch. Source: composite.md, table.
BATCH_SUBREQUESTS = 25
#: Records, types and levels of a composite tree. Source: composite.md, table.
TREE_RECORDS, TREE_TYPES, TREE_LEVELS = 200, 5, 5
#: Nodes, graphs, depth and kinds of node of a composite graph call. Source: composite.md, table.
GRAPH_NODES, GRAPHS, GRAPH_DEPTH, GRAPH_KINDS = 500, 75, 15, 15
#: Failed graphs after which the rest is not run. Source: composite.md, table.
GRAPH_FAILURES = 14
#: Bytes of a multipart upload. Source: rest.md section 3, "Blobs".
BLOB_BYTES = 500_000_000
#: Bytes of a content version's multipart upload: 2 GB in a real org, here what one SQLite value can hold.
CONTENT_VERSION_BYTES = 1_000_000_000
#: How far back deleted and updated rows are told of, and how many at once. Source: rest.md section 3.
DELETED_DAYS, UPDATED_DAYS, REPLICATION_IDS = 15, 30, 600_000
#: Items of the list of recent rows. Source: rest.md section 3.
RECENT_ITEMS = 200
