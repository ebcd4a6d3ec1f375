"""What the org offers: versions, resources, limits, record counts.

Source: facts/salesforce/rest.md section 1.
"""

from __future__ import annotations

from starlette.responses import Response

from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.replies import json_reply
from orgbridge.emulator.storage.tables import quote
from orgbridge.wire.limits import DAILY_BULK_BATCHES
from orgbridge.wire.versions import NEWEST, OLDEST, version_label

_RESOURCES = (
    "limits",
    "sobjects",
    "query",
    "queryAll",
    "search",
    "parameterizedSearch",
    "jobs",
    "composite",
    "commerce",
    "recent",
    "tooling",
    "compactLayouts",
    "tabs",
    "theme",
    "quickActions",
    "process",
)
_DAILY_QUERY_JOBS = 10_000
#: Limits that the emulated org never spends. Values are those of a large sandbox; Assumed.
_CONSTANT_LIMITS = {
    "ActiveScratchOrgs": 40,
    "AnalyticsExternalDataSizeMB": 40_960,
    "ConcurrentAsyncGetReportInstances": 200,
    "ConcurrentSyncReportRuns": 20,
    "CreateCustom": 3_000,
    "DailyAsyncApexExecutions": 250_000,
    "DailyAsyncApexTests": 500,
    "DailyBulkV2QueryFileStorageMB": 976_562,
    "DailyDurableGenericStreamingApiEvents": 10_000,
    "DailyDurableStreamingApiEvents": 10_000,
    "DailyFunctionsApiCallLimit": 235_000,
    "DailyGenericStreamingApiEvents": 10_000,
    "DailyScratchOrgs": 80,
    "DailyStandardVolumePlatformEvents": 25_000,
    "DailyStreamingApiEvents": 10_000,
    "DailyWorkflowEmails": 1_500,
    "DataStorageMB": 1_024,
    "DurableStreamingApiConcurrentClients": 20,
    "FileStorageMB": 1_024,
    "HourlyAsyncReportRuns": 1_200,
    "HourlyDashboardRefreshes": 200,
    "HourlyDashboardResults": 5_000,
    "HourlyDashboardStatuses": 999_999_999,
    "HourlyLongTermIdMapping": 100_000,
    "HourlyODataCallout": 20_000,
    "HourlyPublishedPlatformEvents": 250_000,
    "HourlyPublishedStandardVolumePlatformEvents": 1_000,
    "HourlyShortTermIdMapping": 100_000,
    "HourlySyncReportRuns": 500,
    "HourlyTimeBasedWorkflow": 1_000,
    "MassEmail": 5_000,
    "MonthlyPlatformEventsUsageEntitlement": 0,
    "Package2VersionCreates": 6,
    "PermissionSets": 1_500,
    "SingleEmail": 5_000,
    "StreamingApiConcurrentClients": 20,
}


async def versions(_call: Call) -> Response:
    """Answer GET /services/data, without a session and uncounted."""
    numbers = range(OLDEST, NEWEST + 1)
    return json_reply(
        [{"label": version_label(n), "url": f"/services/data/v{n}.0", "version": f"{n}.0"} for n in numbers]
    )


async def resources(call: Call) -> Response:
    """Answer GET /services/data/vXX.X: only what this org really answers is listed."""
    offered = {name: f"{call.data_path}/{name}" for name in _RESOURCES}
    offered["identity"] = f"{call.base_url}/id/{call.parts.directory.org_id}/{call.user_id}"
    return call.json(offered)


async def limits(call: Call) -> Response:
    """Answer GET /limits."""
    usage = call.parts.usage
    batches = await call.thread(call.parts.classic.batches_left)
    spent = {
        "DailyApiRequests": {"Max": usage.daily_limit, "Remaining": usage.remaining},
        "DailyBulkApiBatches": {"Max": DAILY_BULK_BATCHES, "Remaining": batches},
        "DailyBulkV2QueryJobs": {"Max": _DAILY_QUERY_JOBS, "Remaining": _DAILY_QUERY_JOBS},
    }
    constant = {name: {"Max": value, "Remaining": value} for name, value in _CONSTANT_LIMITS.items()}
    return call.json(dict(sorted({**spent, **constant}.items())))


async def record_count(call: Call) -> Response:
    """Answer GET /limits/recordCount: the objects asked for, or all; those without rows are left out."""
    wanted = [name.strip() for name in (call.query("sObjects") or "").split(",") if name.strip()]
    catalogue = call.parts.org.view(call.user_id)
    found = [catalogue.sobject(name) for name in wanted] if wanted else list(catalogue.sobjects())

    def count() -> list[dict[str, object]]:
        counts: list[dict[str, object]] = []
        with call.parts.storage.read() as connection:
            for sobject in found:
                if sobject is None:
                    continue
                table = quote(sobject.name)
                # The name comes from the catalogue and is quoted.
                sql = f"SELECT COUNT(*) FROM {table} WHERE IsDeleted = 0"  # noqa: S608
                rows = int(connection.execute(sql).fetchone()[0])
                if rows:
                    counts.append({"count": rows, "name": sobject.name})
        return counts

    return call.json({"sObjects": await call.thread(count)})
