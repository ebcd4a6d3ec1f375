"""A typed, asynchronous client of Salesforce, usable on its own. `Salesforce` is where to begin."""

from __future__ import annotations

from orgbridge.client import errors
from orgbridge.client.auth.credentials import (
    ClientCredentials,
    Credentials,
    JWTCredentials,
    PasswordCredentials,
    RefreshCredentials,
)
from orgbridge.client.auth.secrets import Secret
from orgbridge.client.auth.tokens import SignInGuard, Token, TokenConfig, TokenManager
from orgbridge.client.bulk.ingest import IngestResult
from orgbridge.client.bulk.query import ResultsPage
from orgbridge.client.commerce.resources import Patience, StoreContext
from orgbridge.client.commerce.stores import Commerce, Store
from orgbridge.client.describe import DescribeCache
from orgbridge.client.errors import SalesforceFault
from orgbridge.client.replies import (
    IngestJobRequest,
    JobInfo,
    JobPage,
    LimitInfo,
    QueryPage,
    QueryWay,
    RawPage,
    ResultPages,
    SaveResult,
    Subreply,
    UpsertResult,
)
from orgbridge.client.salesforce import Salesforce
from orgbridge.client.transport.counting import CallCount, count_calls
from orgbridge.client.transport.exchange import Reply, TransportConfig
from orgbridge.client.transport.gates import Gate
from orgbridge.client.transport.requests import Chunks
from orgbridge.client.transport.retries import RetryPolicy
from orgbridge.client.transport.sessions import Timeouts

__all__ = [
    "CallCount",
    "Chunks",
    "ClientCredentials",
    "Commerce",
    "Credentials",
    "DescribeCache",
    "Gate",
    "IngestJobRequest",
    "IngestResult",
    "JWTCredentials",
    "JobInfo",
    "JobPage",
    "LimitInfo",
    "PasswordCredentials",
    "Patience",
    "QueryPage",
    "QueryWay",
    "RawPage",
    "RefreshCredentials",
    "Reply",
    "ResultPages",
    "ResultsPage",
    "RetryPolicy",
    "Salesforce",
    "SalesforceFault",
    "SaveResult",
    "Secret",
    "SignInGuard",
    "Store",
    "StoreContext",
    "Subreply",
    "Timeouts",
    "Token",
    "TokenConfig",
    "TokenManager",
    "TransportConfig",
    "UpsertResult",
    "count_calls",
    "errors",
]
