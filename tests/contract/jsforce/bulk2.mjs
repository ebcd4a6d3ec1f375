// jsforce's Bulk API 2.0: whole loads, ingest and query jobs step by step, results in every form.
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { check, code, connect, key, listen, rows, run } from "./harness.mjs";

const conn = await connect();
const { bulk2 } = conn;
const accounts = conn.sobject("Account");
const count = (mark) => accounts.count({ Name: { $like: `${run} ${mark}%` } });
const load = (operation, input, more = {}) => bulk2.loadAndWaitForResults({ object: "Account", operation, input, ...more });

await check("every operation from rows", async () => {
  const made = await load("insert", [...rows("a", 4), { Name: "", [key]: "bad" }]);
  assert.equal(made.successfulResults.length, 4);
  assert.match(made.failedResults[0].sf__Error, /^REQUIRED_FIELD_MISSING:/);
  assert.deepEqual(made.unprocessedRecords, []);
  const ids = made.successfulResults.map((row) => ({ Id: row.sf__Id }));
  const changed = await load("update", ids.map((row) => ({ ...row, Site: "Käufer, \"A\"" })), { pollInterval: 20, pollTimeout: 60_000 });
  assert.equal(changed.successfulResults.length, 4);
  assert.equal(await accounts.count({ Name: { $like: `${run} a%` }, Site: "Käufer, \"A\"" }), 4);
  const merged = await load("upsert", rows("a", 5), { externalIdFieldName: key });
  assert.deepEqual(merged.successfulResults.map((row) => row.sf__Created).sort(), ["false", "false", "false", "false", "true"]);
  assert.equal((await load("delete", ids.slice(0, 2))).successfulResults.length, 2);
  assert.equal((await load("hardDelete", ids.slice(2))).successfulResults.length, 2);
  assert.equal(await count("a"), 1);
  assert.equal((await accounts.find({ Name: { $like: `${run} a%` } }, "Id").scanAll(true)).length, 3);
});
await check("CSV and streams in every dialect", async () => {
  const signs = { BACKQUOTE: "`", CARET: "^", COMMA: ",", PIPE: "|", SEMICOLON: ";", TAB: "\t" };
  for (const [columnDelimiter, sign] of Object.entries(signs)) {
    for (const [lineEnding, end] of [["LF", "\n"], ["CRLF", "\r\n"]]) {
      const mark = `${columnDelimiter}${lineEnding}`;
      const csv = `Name${sign}${key}${end}"${run} ${mark} ${sign} x"${sign}${run}-${mark}${end}`;
      const input = lineEnding === "LF" ? csv : Readable.from([csv]);
      await load("insert", input, { columnDelimiter, lineEnding });
      assert.equal(await accounts.count({ [key]: `${run}-${mark}`, Name: `${run} ${mark} ${sign} x` }), 1, mark);
    }
  }
});
await check("a job step by step, with events", async () => {
  const job = bulk2.createJob({ object: "Account", operation: "insert" });
  const seen = listen(job, "open", "close", "jobComplete");
  assert.throws(() => job.getInfo());
  assert.equal((await job.open()).state, "Open");
  await assert.rejects(job.poll(10, 1_000), /still open/);
  await job.uploadData([...rows("step", 3), { Name: "" }]);
  await job.close();
  await job.poll(20, 60_000);
  assert.deepEqual(seen, ["open", "close", "jobComplete"]);
  const info = await job.check();
  assert.deepEqual([info.state, info.numberRecordsProcessed, info.numberRecordsFailed], ["JobComplete", 4, 1]);
  assert.deepEqual(job.getInfo(), info);
  const same = bulk2.job("ingest", { id: job.id });
  assert.equal((await same.check()).object, "Account");
  assert.equal((await same.getSuccessfulResults()).length, 3);
  assert.equal((await same.getFailedResults()).length, 1);
  assert.deepEqual(await same.getUnprocessedRecords(), []);
  assert.match(await same.getSuccessfulResults(true), /^"?sf__Id"?,"?sf__Created"?/);
  assert.match(await same.getFailedResults(true), /REQUIRED_FIELD_MISSING/);
  assert.match(await same.getUnprocessedRecords(true), /Name/);
  const all = await same.getAllResults();
  assert.deepEqual([all.successfulResults.length, all.failedResults.length], [3, 1]);
  await same.delete();
  await assert.rejects(bulk2.job("ingest", { id: job.id }).check(), code("NOT_FOUND"));
});
await check("jobs that are aborted, fail, or take too long", async () => {
  const job = bulk2.createJob({ object: "Account", operation: "insert" });
  const seen = listen(job, "aborted");
  await job.open();
  await job.abort();
  assert.deepEqual(seen, ["aborted"]);
  await assert.rejects(job.poll(10, 1_000), /aborted/);
  await assert.rejects(load("insert", "Colour\nred\n"), /InvalidBatch/);
  await assert.rejects(bulk2.createJob({ object: "Nope", operation: "insert" }).open(), code("INVALIDENTITY"));
  await assert.rejects(bulk2.createJob({ object: "Account", operation: "upsert" }).open(), code("INVALIDJOB"));
  const slow = bulk2.createJob({ object: "Account", operation: "insert" });
  await slow.open();
  await assert.rejects(slow.poll(1, 0), code("JobPollingTimeout"));
});
await check("queries, with deleted rows, and in other dialects", async () => {
  const soql = `SELECT Id, Name, Parent.Name FROM Account WHERE Name LIKE '${run} %' ORDER BY Name`;
  const live = await (await bulk2.query(soql)).toArray();
  assert.equal(live.length, await count(""));
  assert.ok("Parent.Name" in live[0]);
  const every = await (await bulk2.query(soql, { scanAll: true, pollInterval: 20, pollTimeout: 60_000 })).toArray();
  assert.equal(every.length, live.length + 2);
  // The library reads results with commas whatever delimiter it asked for.
  const crlf = await (await bulk2.query(soql, { columnDelimiter: "COMMA", lineEnding: "CRLF" })).toArray();
  assert.deepEqual(crlf, live);
  await assert.rejects(bulk2.query("SELECT Naem FROM Account"), (error) => /INVALID_FIELD|API_ERROR|INVALIDJOB/.test(`${error.errorCode} ${error.message}`));
});
await check("a query job step by step", async () => {
  const [{ id }] = [(await conn.requestPost(`/services/data/v${conn.version}/jobs/query`, {
    operation: "query", query: `SELECT Id FROM Account WHERE Name LIKE '${run} step%'`,
  }))];
  const job = bulk2.job("query", { id });
  const seen = listen(job, "jobComplete");
  await job.poll(20, 60_000);
  assert.deepEqual(seen, ["jobComplete"]);
  assert.equal((await job.check()).numberRecordsProcessed, 3);
  assert.equal(job.getInfo().state, "JobComplete");
  assert.equal((await (await job.result()).toArray()).length, 3);
  await job.delete();
  await assert.rejects(bulk2.job("query", { id }).check(), code("NOT_FOUND"));
  const other = await conn.requestPost(`/services/data/v${conn.version}/jobs/query`, { operation: "query", query: "SELECT Id FROM Account" });
  const ended = bulk2.job("query", { id: other.id });
  const told = await ended.abort().catch((error) => error);
  assert.ok(told.state === "Aborted" || told.errorCode === "INVALIDJOBSTATE", JSON.stringify(told));
});
