"""Pages of a query job's results, fetched side by side, each kept and written down before it counts as fetched.

Laws:
1. A page is recorded only after its file lies whole in the store and its records were counted and agree with what the
   page's own header announced.
2. A recorded page is never fetched again, unless Salesforce names the pages otherwise now or its file is damaged.
3. Whoever takes pages is given each one once, in order, after it was recorded.
4. Locators are asked for by `resultPages`; where the org or the API version has none, each page names the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from orgbridge.client import Salesforce
from orgbridge.client.bulk.query import ResultsPage
from orgbridge.client.errors import NotFound
from orgbridge.engine.errors import StepRefused
from orgbridge.engine.faults import Fault, first_of
from orgbridge.engine.records import RecordCounter
from orgbridge.engine.resources import Resources
from orgbridge.store.export_records import PageRecord

#: Pages of one export on their way at once. Each holds some blocks, with object storage some parts, in memory.
_PAGES_AT_ONCE: Final = 3


def page_key(load_id: str, number: int) -> str:
    """Return where a page lies in the file store."""
    return f"loads/{load_id}/pages/{number:05d}.csv"


@dataclass(slots=True)
class PageFetch:
    """Brings the pages of one job into the file store."""

    resources: Resources
    load_id: str
    salesforce: Salesforce
    job_id: str
    #: Told each page in order, while later ones are still on their way.
    taken: Callable[[PageRecord], Awaitable[None]] | None = None
    _kept: dict[int, PageRecord] = field(default_factory=dict)

    async def run(self) -> list[PageRecord]:
        """Fetch what is not there yet and return all pages in order.

        Raises:
            StepRefused: A page does not hold what its header announces, or Salesforce no longer has the results. Pages
                fetched before are kept.
        """
        patience = self.resources.patience(self.load_id)
        self._kept = {page.number: page for page in await patience.until_done(self._recorded)}
        try:
            try:
                return await self._all()
            except BaseExceptionGroup as errors:
                raise first_of(errors) from None
        except NotFound as error:
            message = f"Salesforce no longer has the results of query job {self.job_id}."
            raise StepRefused(Fault(code="job.vanished", message=message)) from error

    async def _all(self) -> list[PageRecord]:
        slots = asyncio.Semaphore(_PAGES_AT_ONCE)
        tasks: list[asyncio.Task[PageRecord]] = []

        async def fetch(number: int, locator: str | None) -> PageRecord:
            try:
                return await self._page(number, locator)
            finally:
                slots.release()

        in_order: asyncio.Queue[asyncio.Task[PageRecord] | None] = asyncio.Queue()

        async def hand_over() -> None:
            while (task := await in_order.get()) is not None:
                await self._hand_over(await task)

        async with asyncio.TaskGroup() as group, aclosing(self._locators()) as locators:
            group.create_task(hand_over())
            number = 0
            async for locator in locators:
                await slots.acquire()
                tasks.append(group.create_task(fetch(number, locator)))
                in_order.put_nowait(tasks[-1])
                number += 1
            in_order.put_nowait(None)
        if tasks:
            return [task.result() for task in tasks]
        return await self._one_after_another()

    async def _hand_over(self, page: PageRecord) -> None:
        if self.taken is not None:
            await self.taken(page)

    async def _locators(self) -> AsyncGenerator[str | None, None]:
        """Yield the locators of all pages; none at all where they cannot be listed."""
        query = self.salesforce.bulk.query
        patience = self.resources.patience(self.load_id)
        url: str | None = None
        while True:
            asked = url
            try:
                listed = await patience.until_done(partial(query.result_pages, self.job_id, asked))
            except NotFound:
                if asked is not None:
                    raise
                # Before v58 there is no such list. A job that is gone says so when its pages are asked for.
                return
            for locator in listed.locators:
                yield locator
            url = listed.next_records_url
            if url is None:
                return

    async def _one_after_another(self) -> list[PageRecord]:
        pages: list[PageRecord] = []
        locator: str | None = None
        seen: set[str] = set()
        while True:
            page = await self._page(len(pages), locator)
            pages.append(page)
            await self._hand_over(page)
            locator = page.following
            if locator is None:
                return pages
            if locator in seen:
                message = f"Salesforce named a page of query job {self.job_id} that was read already."
                raise StepRefused(Fault(code="load.unbalanced", message=message))
            seen.add(locator)

    async def _page(self, number: int, locator: str | None) -> PageRecord:
        kept = self._kept.get(number)
        if kept is not None and kept.locator == locator:
            return kept
        patience = self.resources.patience(self.load_id)
        page = await patience.until_done(lambda: self._fetch(number, locator))

        async def record() -> None:
            others = sum(kept.rows for kept in self._kept.values() if kept.number != number)
            async with self.resources.database.unit() as unit:
                await unit.pages.put(page)
                await unit.loads.update(self.load_id, rows_succeeded=others + page.rows)

        await patience.until_done(record)
        self._kept[number] = page
        return page

    async def _fetch(self, number: int, locator: str | None) -> PageRecord:
        counter = RecordCounter()
        async with self.salesforce.bulk.query.results(self.job_id, locator) as page:
            stored = await self.resources.files.write(page_key(self.load_id, number), _counted(page, counter))
        rows = max(0, counter.records - 1)
        if rows != page.number_of_records:
            message = (
                f"Page {number + 1} of query job {self.job_id} has {rows} records; "
                f"its header announced {page.number_of_records}."
            )
            raise StepRefused(Fault(code="load.unbalanced", message=message))
        return PageRecord(
            load_id=self.load_id,
            number=number,
            locator=locator,
            following=page.locator,
            key=stored.key,
            rows=rows,
            bytes=stored.bytes,
            sha256=stored.sha256,
        )

    async def _recorded(self) -> list[PageRecord]:
        async with self.resources.database.unit(write=False) as unit:
            return await unit.pages.list(self.load_id)


async def _counted(page: ResultsPage, counter: RecordCounter) -> AsyncIterator[bytes]:
    async for block in page.chunks:
        counter.add(block)
        yield block
