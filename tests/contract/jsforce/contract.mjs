// Drives jsforce, unchanged, against the org at the address of the first argument, and writes one JSON line per check.
// A check that throws is told with its message; nothing here knows that the org is emulated.
import assert from "node:assert/strict";
import jsforce from "jsforce";

const [url, username, password, token, clientId, clientSecret] = process.argv.slice(2);
const version = "62.0";
const run = `js${Date.now().toString(36)}`;
let failed = 0;

async function check(name, work) {
  try {
    await work();
    console.log(JSON.stringify({ name, ok: true }));
  } catch (error) {
    failed += 1;
    const text = String(error?.stack ?? error).split("\n").slice(0, 6).join(" | ");
    console.log(JSON.stringify({ name, ok: false, error: text }));
  }
}

const soap = new jsforce.Connection({ loginUrl: url, version });
const conn = new jsforce.Connection({ instanceUrl: url, loginUrl: url, version });
const oauth2 = { loginUrl: url, clientId, clientSecret, redirectUri: `${url}/callback` };

// -- sign-in ---------------------------------------------------------------------------------------------------------
await check("SOAP login", async () => {
  const user = await soap.login(username, password + token);
  assert.match(user.id, /^005\w{15}$/);
  assert.match(user.organizationId, /^00D\w{15}$/);
  assert.ok(soap.accessToken && soap.instanceUrl.startsWith(url));
});
await check("SOAP login refused", async () => {
  const other = new jsforce.Connection({ loginUrl: url, version });
  await assert.rejects(other.login(username, "wrong"), /INVALID_LOGIN/);
});
await check("username-password OAuth", async () => {
  const other = new jsforce.Connection({ oauth2, version });
  const user = await other.login(username, password + token);
  assert.match(user.id, /^005\w{15}$/);
  conn.accessToken = other.accessToken;
  conn.instanceUrl = other.instanceUrl;
});
await check("OAuth refused", async () => {
  const other = new jsforce.Connection({ oauth2, version });
  await assert.rejects(other.login(username, "wrong"), /authentication failure/);
});
await check("client credentials", async () => {
  const other = new jsforce.Connection({ oauth2, instanceUrl: url, version });
  await other.authorize({ grant_type: "client_credentials" });
  assert.ok(other.accessToken);
});
await check("identity", async () => {
  const identity = await conn.identity();
  assert.equal(identity.username, username);
});
await check("an ended session is told", async () => {
  const other = new jsforce.Connection({ instanceUrl: url, accessToken: "00D000000000000!dead", version });
  await assert.rejects(other.query("SELECT Id FROM Account"), (error) => error.errorCode === "INVALID_SESSION_ID");
});
await check("a refresh function brings a new session", async () => {
  let refreshed = 0;
  const other = new jsforce.Connection({
    instanceUrl: url,
    accessToken: "00D000000000000!dead",
    version,
    refreshFn: (_conn, callback) => {
      refreshed += 1;
      callback(null, conn.accessToken);
    },
  });
  await other.query("SELECT Id FROM Account LIMIT 1");
  assert.equal(refreshed, 1);
});
await check("limits and limit info", async () => {
  const limits = await conn.limits();
  assert.ok(limits.DailyApiRequests.Remaining > 0);
  assert.ok(conn.limitInfo.apiUsage.used > 0);
});

// -- describe --------------------------------------------------------------------------------------------------------
await check("describeGlobal", async () => {
  const { sobjects } = await conn.describeGlobal();
  assert.ok(sobjects.some((sobject) => sobject.name === "Account"));
});
await check("describe", async () => {
  const described = await conn.describe("Account");
  assert.ok(described.fields.find((field) => field.name === "External_Id__c").externalId);
  assert.equal((await conn.sobject("Contact").describe()).keyPrefix, "003");
});
await check("describe of nothing", async () => {
  await assert.rejects(conn.describe("Nope"), (error) => error.errorCode === "NOT_FOUND");
});
await check("describe from the cache", async () => {
  const first = await conn.describe$("Account");
  assert.equal(await conn.describe$("Account"), first);
});

// -- records ---------------------------------------------------------------------------------------------------------
const accounts = conn.sobject("Account");
let id;
await check("create and retrieve", async () => {
  const made = await accounts.create({ Name: `${run} one`, NumberOfEmployees: 3 });
  assert.ok(made.success);
  id = made.id;
  const record = await accounts.retrieve(id);
  assert.equal(record.Name, `${run} one`);
  assert.equal(record.attributes.type, "Account");
});
await check("create refused", async () => {
  await assert.rejects(
    accounts.create({}),
    (error) => error.errorCode === "REQUIRED_FIELD_MISSING" && /\[Name\]/.test(error.message),
  );
});
await check("update and destroy", async () => {
  assert.ok((await accounts.update({ Id: id, Name: `${run} two` })).success);
  assert.equal((await accounts.retrieve(id)).Name, `${run} two`);
  assert.ok((await accounts.destroy(id)).success);
  await assert.rejects(accounts.retrieve(id), (error) => error.errorCode === "ENTITY_IS_DELETED");
});
await check("upsert by external id", async () => {
  const record = { Name: `${run} up`, External_Id__c: `${run}-ab` };
  const first = await accounts.upsert(record, "External_Id__c");
  assert.equal(first.created, true);
  const second = await accounts.upsert({ ...record, Name: `${run} again` }, "External_Id__c");
  assert.deepEqual([second.created, second.id], [false, first.id]);
});
await check("relationships by external id", async () => {
  const made = await conn.create("Contact", { LastName: run, Account: { External_Id__c: `${run}-ab` } });
  const found = await conn.query(`SELECT Account.Name FROM Contact WHERE Id = '${made.id}'`);
  assert.equal(found.records[0].Account.Name, `${run} again`);
});

// -- collections -----------------------------------------------------------------------------------------------------
let ids;
await check("collections in all verbs", async () => {
  const made = await accounts.create([{ Name: `${run} c1` }, {}, { Name: `${run} c2` }]);
  assert.deepEqual(made.map((result) => result.success), [true, false, true]);
  assert.equal(made[1].errors[0].statusCode ?? made[1].errors[0].errorCode, "REQUIRED_FIELD_MISSING");
  ids = [made[0].id, made[2].id];
  const changed = await accounts.update(ids.map((one) => ({ Id: one, Site: "x" })));
  assert.ok(changed.every((result) => result.success));
  const read = await accounts.retrieve(ids);
  assert.deepEqual(read.map((record) => record.Site), ["x", "x"]);
  const merged = await accounts.upsert(
    [0, 1].map((n) => ({ Name: `${run} u${n}`, External_Id__c: `${run}-u${n}` })),
    "External_Id__c",
  );
  assert.ok(merged.every((result) => result.success && result.created));
  const gone = await accounts.destroy(ids);
  assert.ok(gone.every((result) => result.success));
});
await check("all or none", async () => {
  const made = await accounts.create([{ Name: `${run} aon` }, {}], { allOrNone: true });
  assert.ok(made.every((result) => !result.success));
  assert.equal((await conn.query(`SELECT COUNT() FROM Account WHERE Name = '${run} aon'`)).totalSize, 0);
});
await check("recursive collections", async () => {
  const many = Array.from({ length: 450 }, (_, n) => ({ Name: `${run} many ${String(n).padStart(3, "0")}` }));
  const made = await accounts.create(many, { allowRecursive: true });
  assert.equal(made.filter((result) => result.success).length, 450);
});

// -- queries ---------------------------------------------------------------------------------------------------------
const soql = `SELECT Id, Name FROM Account WHERE Name LIKE '${run} many%' ORDER BY Name`;
await check("query and queryMore", async () => {
  let page = await conn.query(soql, { headers: { "Sforce-Query-Options": "batchSize=200" } });
  const names = [];
  for (;;) {
    names.push(...page.records.map((record) => record.Name));
    if (page.done) break;
    page = await conn.queryMore(page.nextRecordsUrl);
  }
  assert.equal(names.length, 450);
  assert.deepEqual(names, [...names].sort());
});
await check("autoFetch", async () => {
  const found = await conn.query(soql, {
    autoFetch: true,
    maxFetch: 10_000,
    headers: { "Sforce-Query-Options": "batchSize=200" },
  });
  assert.equal(found.records.length, 450);
});
await check("query events", async () => {
  const names = await new Promise((resolve, reject) => {
    const seen = [];
    conn
      .query(soql)
      .on("record", (record) => seen.push(record.Name))
      .on("end", () => resolve(seen))
      .on("error", reject)
      .run({ autoFetch: true, maxFetch: 1_000 });
  });
  assert.equal(names.length, 450);
});
await check("find, sort, limit, count", async () => {
  const found = await accounts
    .find({ Name: { $like: `${run} many%` } }, ["Id", "Name"])
    .sort({ Name: -1 })
    .limit(2);
  assert.deepEqual(found.map((record) => record.Name), [`${run} many 449`, `${run} many 448`]);
  assert.equal(await accounts.count({ Name: { $like: `${run} many%` } }), 450);
});
await check("queries that are refused", async () => {
  await assert.rejects(conn.query("SELECT Naem FROM Account"), (error) => error.errorCode === "INVALID_FIELD");
  await assert.rejects(conn.query("SELECT FROM"), (error) => error.errorCode === "MALFORMED_QUERY");
});
await check("queryAll sees what was deleted", async () => {
  const wanted = `SELECT Id FROM Account WHERE Name = '${run} c1'`;
  assert.equal((await conn.query(wanted)).totalSize, 0);
  assert.equal((await conn.query(wanted, { scanAll: true })).totalSize, 1);
});

// -- Bulk API 2.0 ----------------------------------------------------------------------------------------------------
conn.bulk2.pollInterval = 100;
conn.bulk2.pollTimeout = 60_000;
let loaded;
await check("bulk2 insert", async () => {
  const input = Array.from({ length: 300 }, (_, n) => ({ LastName: n % 10 ? `${run} b${n}` : "", Title: "Käufer, \"A\"" }));
  const results = await conn.bulk2.loadAndWaitForResults({ object: "Contact", operation: "insert", input });
  assert.equal(results.successfulResults.length, 270);
  assert.equal(results.failedResults.length, 30);
  assert.match(results.failedResults[0].sf__Error, /^REQUIRED_FIELD_MISSING:/);
  assert.equal(results.unprocessedRecords.length, 0);
  loaded = results.successfulResults.map((row) => row.sf__Id);
});
await check("bulk2 job step by step", async () => {
  const job = conn.bulk2.createJob({ object: "Contact", operation: "update" });
  await job.open();
  await job.uploadData(loaded.slice(0, 5).map((one) => ({ Id: one, Title: "moved" })));
  await job.close();
  await job.poll(100, 60_000);
  const info = await job.check();
  assert.equal(info.state, "JobComplete");
  assert.equal(info.numberRecordsProcessed, 5);
  assert.equal((await job.getSuccessfulResults()).length, 5);
  await job.delete();
});
await check("bulk2 upsert and delete", async () => {
  const merged = await conn.bulk2.loadAndWaitForResults({
    object: "Account",
    operation: "upsert",
    externalIdFieldName: "External_Id__c",
    input: [0, 5].map((n) => ({ External_Id__c: `${run}-u${n}`, Name: `${run} bulk ${n}` })),
  });
  assert.deepEqual(merged.successfulResults.map((row) => row.sf__Created).sort(), ["false", "true"]);
  const gone = await conn.bulk2.loadAndWaitForResults({
    object: "Contact",
    operation: "delete",
    input: loaded.slice(0, 10).map((one) => ({ Id: one })),
  });
  assert.equal(gone.successfulResults.length, 10);
});
await check("bulk2 job that fails as a whole", async () => {
  const job = conn.bulk2.createJob({ object: "Contact", operation: "insert" });
  job.on("error", () => {});
  await job.open();
  await job.uploadData("Colour\nred\n");
  await job.close();
  await assert.rejects(job.poll(100, 60_000), /failed|Field name not found/i);
});
await check("bulk2 query", async () => {
  const stream = await conn.bulk2.query(`SELECT Id, LastName, Account.Name FROM Contact WHERE LastName LIKE '${run} b%'`);
  const records = await stream.toArray();
  assert.equal(records.length, 260);
  assert.ok("Account.Name" in records[0]);
});

// -- Bulk API 1.0, where the org speaks it ---------------------------------------------------------------------------
const bulk1 = await fetch(`${url}/services/async/${version}/job/750000000000001AAA`, {
  headers: { "X-SFDC-Session": conn.accessToken, Accept: "application/json" },
});
if ((await bulk1.text()).includes("xceptionCode")) {
  conn.bulk.pollInterval = 100;
  conn.bulk.pollTimeout = 60_000;
  await check("bulk1 insert", async () => {
    const results = await conn.bulk.load("Contact", "insert", [
      { LastName: `${run} v1`, Title: "x" },
      { LastName: "", Title: "x" },
    ]);
    assert.deepEqual(results.map((result) => result.success), [true, false]);
  });
  await check("bulk1 query", async () => {
    const stream = await conn.bulk.query(`SELECT Id, LastName FROM Contact WHERE LastName = '${run} v1'`);
    assert.equal((await stream.toArray()).length, 1);
  });
}

// -- composite, where the org speaks it ------------------------------------------------------------------------------
const overview = await conn.request(`/services/data/v${version}/composite`);
if ("batch" in overview) {
  await check("composite with a reference", async () => {
    const path = `/services/data/v${version}`;
    const reply = await conn.requestPost(`${path}/composite`, {
      allOrNone: true,
      compositeRequest: [
        { method: "POST", url: `${path}/sobjects/Account`, referenceId: "a", body: { Name: `${run} comp` } },
        {
          method: "POST",
          url: `${path}/sobjects/Contact`,
          referenceId: "c",
          body: { LastName: run, AccountId: "@{a.id}" },
        },
      ],
    });
    assert.deepEqual(reply.compositeResponse.map((one) => one.httpStatusCode), [201, 201]);
  });
}
await check("logout ends the session", async () => {
  const other = new jsforce.Connection({ oauth2, version });
  await other.login(username, password + token);
  const { accessToken, instanceUrl } = other;
  await other.logout();
  const again = new jsforce.Connection({ instanceUrl, accessToken, version });
  await assert.rejects(again.query("SELECT Id FROM Account"), (error) => error.errorCode === "INVALID_SESSION_ID");
});
process.exitCode = failed ? 1 : 0;
