// jsforce's queries: text and builder, pages, events, streams, targets, subqueries, and changes of what was found.
import assert from "node:assert/strict";
import { Writable } from "node:stream";
import jsforce from "jsforce";
import { RecordStream } from "jsforce/lib/record-stream.js";
import { check, code, connect, key, rows, run } from "./harness.mjs";

const conn = await connect();
const accounts = conn.sobject("Account");
const like = { Name: { $like: `${run} q%` } };
const pages = { headers: { "Sforce-Query-Options": "batchSize=200" } };
const soql = `SELECT Id, Name FROM Account WHERE Name LIKE '${run} q%' ORDER BY Name`;
const made = await accounts.create(rows("q", 450).map((row, n) => ({ ...row, NumberOfEmployees: n, Site: n % 2 ? "odd" : null })), {
  allowRecursive: true,
});
const [parent] = made;
await conn.sobject("Contact").create([1, 2, 3].map((n) => ({ LastName: `${run} k${n}`, AccountId: parent.id })));

await check("query and queryMore", async () => {
  let page = await conn.query(soql, pages);
  assert.deepEqual([page.totalSize, page.records.length, page.done], [450, 200, false]);
  const names = [];
  for (;;) {
    names.push(...page.records.map((record) => record.Name));
    if (page.done) break;
    page = await conn.queryMore(page.nextRecordsUrl);
  }
  assert.deepEqual(names, rows("q", 450).map((row) => row.Name));
  const again = await conn.query(soql, pages);
  const more = await conn.queryMore(again.nextRecordsUrl.split("/").pop(), { autoFetch: true });
  assert.equal(more.records.length, 250);
});
await check("autoFetch and maxFetch", async () => {
  assert.equal((await conn.query(soql, { autoFetch: true, ...pages })).records.length, 450);
  assert.equal((await conn.query(soql, { autoFetch: true, maxFetch: 300, ...pages })).records.length, 300);
  assert.equal((await accounts.find(like, "Id").autoFetch(true).maxFetch(7)).length, 7);
});
await check("events of a query", async () => {
  const seen = { record: 0, fetch: 0, response: 0 };
  await new Promise((resolve, reject) => {
    const query = conn.query(soql);
    for (const name of Object.keys(seen)) query.on(name, () => (seen[name] += 1));
    query.on("end", resolve).on("error", reject).run({ autoFetch: true, ...pages });
  });
  assert.equal(seen.record, 450);
  assert.ok(seen.fetch >= 1 && seen.response >= 1);
});
await check("streams of records and of CSV", async () => {
  const records = await conn.query(soql).stream("record").toArray();
  assert.equal(records.length, 450);
  const parts = [];
  const sink = new Writable({ write: (part, _encoding, done) => (parts.push(String(part)), done()) });
  await new Promise((resolve, reject) => {
    conn.query(soql).stream("csv").on("error", reject).pipe(sink).on("finish", resolve);
  });
  const lines = parts.join("").trim().split("\n");
  assert.deepEqual([lines[0], lines.length], ["Id,Name", 451]);
  const upper = await conn
    .query(soql)
    .stream("record")
    .pipe(RecordStream.filter((record) => record.Name.endsWith("1")))
    .pipe(RecordStream.map((record) => ({ Name: record.Name.toUpperCase() })))
    .toArray();
  assert.equal(upper.length, 45);
  assert.equal(upper[0].Name, `${run} q 001`.toUpperCase());
});
await check("a query as a promise and as a pipe", async () => {
  assert.equal((await accounts.find(like, "Id").limit(2).promise()).length, 2);
  assert.equal(await accounts.find({ Nope: 1 }, "Id").catch((error) => error.errorCode), "INVALID_FIELD");
  const parts = [];
  const sink = new Writable({ objectMode: true, write: (record, _encoding, done) => (parts.push(record.Name), done()) });
  await new Promise((resolve, reject) => {
    accounts.find(like, "Name").limit(3).pipe(sink).on("finish", resolve).on("error", reject);
  });
  assert.equal(parts.length, 3);
  const nested = accounts.find({ Id: parent.id }, "Name").includeChildren({ Contacts: { fields: ["Id"] } });
  assert.equal((await nested)[0].Contacts.totalSize, 3);
});
const CONDITIONS = [
  [{ NumberOfEmployees: 7 }, 1],
  [{ NumberOfEmployees: { $eq: 7 } }, 1],
  [{ NumberOfEmployees: { $ne: 7 } }, 449],
  [{ NumberOfEmployees: { $gt: 440 } }, 9],
  [{ NumberOfEmployees: { $gte: 440 } }, 10],
  [{ NumberOfEmployees: { $lt: 10 } }, 10],
  [{ NumberOfEmployees: { $lte: 10 } }, 11],
  [{ NumberOfEmployees: [1, 2, 3] }, 3],
  [{ NumberOfEmployees: { $in: [1, 2] } }, 2],
  [{ NumberOfEmployees: { $nin: [1, 2] } }, 448],
  [{ [key]: { $like: `${run}-q-44%` } }, 11],
  [{ [key]: { $nlike: `${run}-q-44%` } }, 439],
  [{ Site: { $exists: true } }, 225],
  [{ Site: { $exists: false } }, 225],
  [{ Site: null }, 225],
  [{ $or: [{ NumberOfEmployees: 1 }, { NumberOfEmployees: 2 }] }, 2],
  [{ $and: [{ NumberOfEmployees: { $gt: 1 } }, { NumberOfEmployees: { $lt: 4 } }] }, 2],
  [{ $not: { NumberOfEmployees: { $gt: 3 } } }, 4],
  [{ CreatedDate: { $gte: jsforce.SfDate.TODAY } }, 450],
  [{ CreatedDate: { $gt: jsforce.SfDate.toDateTimeLiteral(new Date("2001-02-03T04:05:06Z")) } }, 450],
  [{ CreatedDate: jsforce.SfDate.LAST_N_DAYS(3), Site: "odd" }, 225],
];
await check("conditions of every kind", async () => {
  for (const [condition, count] of CONDITIONS) {
    const found = await accounts.find({ $and: [like, condition] }, ["Id"]).execute({ autoFetch: true });
    assert.equal(found.length, count, JSON.stringify(condition));
    assert.equal(await accounts.count({ $and: [like, condition] }), count, JSON.stringify(condition));
  }
  // The library escapes quotes and leaves backslashes as they are, which no org takes.
  await assert.rejects(accounts.count({ Name: "a \\ b" }), code("MALFORMED_QUERY"));
  const quoted = `${run} O'Neil "x" %_`;
  await accounts.create({ Name: quoted });
  assert.equal(await accounts.count({ Name: quoted }), 1);
});
await check("multi-select conditions", async () => {
  const text = await conn.sobject("Account").find({ Name: { $includes: ["a;b", "c"] } }, "Id").toSOQL();
  assert.equal(text, "SELECT Id FROM Account WHERE Name INCLUDES ('a;b', 'c')");
  await assert.rejects(accounts.find({ Name: { $includes: ["a"] } }, "Id").exec(), code("INVALID_QUERY_FILTER_OPERATOR"));
});
await check("select, where, sort, limit and offset", async () => {
  const names = async (query) => (await query).map((record) => record.Name.slice(-3));
  assert.deepEqual(await names(accounts.find(like, ["Id", "Name"]).sort({ Name: -1 }).limit(2)), ["449", "448"]);
  assert.deepEqual(await names(accounts.find(like, "Name").sort("-Name").skip(1).limit(1)), ["448"]);
  assert.deepEqual(await names(accounts.find(like, "Name").orderby("Name", "DESC").offset(2).limit(1)), ["447"]);
  assert.deepEqual(await names(accounts.find(like, "Name").sort([["Site", 1], ["Name", -1]]).limit(1)), ["448"]);
  const options = { sort: "Name", limit: 2, offset: 1 };
  assert.deepEqual(await names(accounts.find(like, { Name: 1 }, options)), ["001", "002"]);
  const where = accounts.select("Name").where(`Name LIKE '${run} q%' AND NumberOfEmployees < 2`).sort("Name");
  assert.deepEqual(await names(where), ["000", "001"]);
});
await check("all fields, and those of parents", async () => {
  const one = await accounts.findOne({ Id: parent.id });
  assert.ok(Object.keys(one).length > 30);
  const child = await conn.sobject("Contact").findOne({ AccountId: parent.id }, "LastName, Account.*, Owner.Name");
  assert.equal(child.Account[key], `${run}-q-0`);
  assert.ok(child.Owner.Name);
  assert.equal(await accounts.findOne({ Name: "nobody" }, "Id"), null);
});
await check("children", async () => {
  const found = await accounts
    .find({ Id: parent.id }, "Name")
    .include("Contacts", { LastName: { $ne: `${run} k2` } }, "LastName", { sort: { LastName: -1 }, limit: 5 })
    .end();
  assert.deepEqual(found[0].Contacts.records.map((record) => record.LastName), [`${run} k3`, `${run} k1`]);
  const built = await accounts
    .find({ Id: parent.id }, "Name")
    .include("Contacts").select("Id, LastName").where({ LastName: `${run} k1` }).orderby("LastName").limit(1).skip(0)
    .end();
  assert.equal(built[0].Contacts.totalSize, 1);
  const told = await accounts.find({ Id: parent.id }, "Name", { includes: { Contacts: { fields: ["Id"], limit: 2 } } });
  assert.equal(told[0].Contacts.records.length, 2);
  await conn.sobject("Contact").create(Array.from({ length: 200 }, () => ({ LastName: run, AccountId: made[1].id })));
  await conn.sobject("Contact").create(Array.from({ length: 200 }, () => ({ LastName: run, AccountId: made[1].id })));
  const text = `SELECT Id, (SELECT Id FROM Contacts) FROM Account WHERE Id = '${made[1].id}'`;
  const all = await conn.query(text, { autoFetch: true, ...pages });
  assert.equal(new Set(all.records[0].Contacts.records.map((record) => record.Id)).size, 400);
});
await check("response targets", async () => {
  const query = () => accounts.find(like, "Id").limit(3);
  assert.equal((await query().setResponseTarget("QueryResult")).records.length, 3);
  assert.equal((await query().exec({ responseTarget: "Records" })).length, 3);
  assert.ok((await query().run({ responseTarget: "SingleRecord" })).Id);
  assert.equal(await conn.query(`SELECT COUNT() FROM Account WHERE Name LIKE '${run} q%'`).setResponseTarget("Count"), 450);
});
await check("deleted rows", async () => {
  const [gone] = await accounts.create(rows("gone", 1));
  await accounts.destroy(gone.id);
  assert.equal((await conn.query(`SELECT Id FROM Account WHERE Id = '${gone.id}'`)).totalSize, 0);
  assert.equal((await conn.query(`SELECT Id FROM Account WHERE Id = '${gone.id}'`, { scanAll: true })).totalSize, 1);
  assert.equal((await accounts.find({ Id: gone.id }, "Id").scanAll(true)).length, 1);
});
await check("explain", async () => {
  const { plans } = await conn.query(soql).explain();
  assert.deepEqual([plans[0].sobjectType, plans[0].cardinality], ["Account", 450]);
  assert.equal((await accounts.find({ [key]: "x" }, "Id").explain()).plans[0].leadingOperationType, "Index");
});
await check("search", async () => {
  const word = `Zebra${run}`;
  const { id } = await conn.create("Contact", { LastName: word });
  const { searchRecords } = await conn.search(`FIND {${word}} IN ALL FIELDS RETURNING Contact(Id, LastName), Account(Id)`);
  assert.deepEqual(searchRecords.map((record) => [record.attributes.type, record.Id]), [["Contact", id]]);
  await assert.rejects(conn.search("FIND"), code("MALFORMED_SEARCH"));
});
await check("changes of what was found", async () => {
  for (const [n, options] of [{ allowBulk: false }, { bulkThreshold: 2, bulkApiVersion: 1 }, { bulkThreshold: 2, bulkApiVersion: 2 }].entries()) {
    const mark = `chg${n}`;
    await accounts.create(rows(mark, 5));
    const found = () => accounts.find({ Name: { $like: `${run} ${mark}%` } }, "Id, Name");
    const changed = await found().update((record) => ({ Id: record.Id, Site: record.Name.slice(-1) }), "Account", options);
    assert.ok(changed.length === 5 && changed.every((result) => result.success), mark);
    assert.equal(await accounts.count({ Name: { $like: `${run} ${mark}%` }, Site: "4" }), 1);
    await found().update({ Description: "of ${Name}" }, options);
    const first = await accounts.findOne({ [key]: `${run}-${mark}-0` }, "Description");
    assert.equal(first.Description, `of ${run} ${mark} 000`);
    const gone = await found().destroy(options);
    assert.ok(gone.length === 5 && gone.every((result) => result.success), mark);
    assert.equal(await accounts.count({ Name: { $like: `${run} ${mark}%` } }), 0);
  }
  const text = `SELECT Id FROM Account WHERE Name LIKE '${run} chgt%'`;
  await accounts.create(rows("chgt", 2));
  assert.equal((await conn.query(text).update({ Site: "t" }, "Account")).length, 2);
  assert.equal((await conn.query(text).delete("Account")).length, 2);
});
await check("queries that are refused", async () => {
  await assert.rejects(conn.query("SELECT Naem FROM Account"), code("INVALID_FIELD"));
  await assert.rejects(conn.query("SELECT FROM"), code("MALFORMED_QUERY"));
  await assert.rejects(conn.queryMore("01gOb0000000000AAA-200"), code("INVALID_QUERY_LOCATOR"));
});
