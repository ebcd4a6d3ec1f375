// jsforce looks an org over: describes, layouts, list views, tabs, tooling, with and without its cache.
import assert from "node:assert/strict";
import { check, code, connect, key, rows, run, version } from "./harness.mjs";

const conn = await connect();
const accounts = conn.sobject("Account");

await check("describeGlobal in every form", async () => {
  const { sobjects } = await conn.describeGlobal();
  assert.equal(sobjects.find((one) => one.name === "Account").keyPrefix, "001");
  assert.equal((await conn.describeGlobal$()).sobjects.length, sobjects.length);
  assert.equal(conn.describeGlobal$$().sobjects.length, sobjects.length);
  assert.ok(conn.sobjects.Account);
});
await check("describe in every form", async () => {
  const described = await conn.describe("Account");
  assert.ok(described.fields.find((field) => field.name === key).externalId);
  assert.deepEqual(await conn.describeSObject("Account"), described);
  const first = await conn.describe$("Account");
  assert.equal(await conn.describe$("Account"), first);
  assert.equal(conn.describe$$("Account"), first);
  assert.equal(conn.describeSObject$$("Account").name, "Account");
  conn.describe$.clear();
  assert.notEqual(await conn.describe$("Account"), first);
  assert.equal((await accounts.describe()).name, "Account");
  assert.equal((await accounts.describe$()).name, "Account");
  assert.equal(accounts.describe$$().name, "Account");
  await assert.rejects(conn.describe("Nope"), code("NOT_FOUND"));
});
await check("layouts", async () => {
  const { layouts, recordTypeMappings } = await accounts.layouts();
  const items = layouts[0].detailLayoutSections.flatMap((one) => one.layoutRows.flatMap((row) => row.layoutItems));
  assert.ok(items.some((item) => item.layoutComponents[0].value === "Name"));
  assert.equal(recordTypeMappings[0].layoutId, layouts[0].id);
  assert.equal(await accounts.layouts$(), await accounts.layouts$());
  assert.equal(accounts.layouts$$().layouts.length, 1);
  await assert.rejects(accounts.layouts("Nope"), code("NOT_FOUND"));
});
await check("compact and approval layouts", async () => {
  const { compactLayouts } = await accounts.compactLayouts();
  assert.equal(compactLayouts[0].fieldItems[0].layoutComponents[0].value, "Name");
  assert.equal(await accounts.compactLayouts$(), await accounts.compactLayouts$());
  assert.equal(accounts.compactLayouts$$().compactLayouts.length, 1);
  assert.deepEqual(await accounts.approvalLayouts(), { approvalLayouts: [] });
  assert.deepEqual(await accounts.approvalLayouts$(), { approvalLayouts: [] });
  assert.deepEqual(accounts.approvalLayouts$$(), { approvalLayouts: [] });
});
await check("list views", async () => {
  const made = await accounts.create(rows("!list", 3));
  const { listviews } = await accounts.listviews();
  const all = listviews.find((view) => view.developerName === "AllAccounts");
  const view = accounts.listview(all.id);
  const described = await view.describe();
  assert.deepEqual((await conn.query(described.query)).records[0].attributes.type, "Account");
  const found = await view.results();
  assert.equal(found.size, found.records.length);
  const page = await conn.requestGet(`${all.resultsUrl}?limit=2000`);
  const ids = page.records.map((row) => row.columns.find((column) => column.fieldNameOrPath === "Id").value);
  assert.ok(made.every((one) => ids.includes(one.id)));
  const names = page.records.map((row) => row.columns[0].value);
  const second = await conn.requestGet(`${all.resultsUrl}?limit=1&offset=1`);
  assert.deepEqual([second.records[0].columns[0].value, second.done], [names[1], false]);
  assert.equal((await view.explain()).plans[0].sobjectType, "Account");
  assert.equal((await conn.requestGet(all.url)).label, "All Accounts");
  await assert.rejects(accounts.listview("00B000000000001AAA").results(), code("NOT_FOUND"));
  await assert.rejects(accounts.listview("00B000000000001AAA").explain(), code("NOT_FOUND"));
});
await check("tabs, theme and quick actions", async () => {
  const tabs = await conn.tabs();
  assert.equal(tabs.find((tab) => tab.sobjectName === "Account").name, "standard-Account");
  const theme = await conn.theme();
  assert.ok(theme.themeItems.some((item) => item.name === "Account"));
  assert.deepEqual(await conn.quickActions(), []);
  assert.deepEqual(await accounts.quickActions(), []);
});
await check("rules and approvals are none", async () => {
  assert.deepEqual(await conn.process.rule.list(), {});
  assert.deepEqual(await conn.process.approval.list(), {});
});
await check("recent", async () => {
  const made = await accounts.create({ Name: `${run} recent` });
  assert.equal((await accounts.recent())[0].Id, made.id);
  assert.ok((await conn.recent("Account", 5)).length <= 5);
  assert.ok((await conn.recent(3)).length <= 3);
  assert.ok((await conn.recent()).some((record) => record.attributes.type === "Account"));
});
await check("tooling: query, describe, sobject", async () => {
  const { tooling } = conn;
  assert.equal(tooling.version, version);
  const soql = "SELECT QualifiedApiName FROM EntityDefinition WHERE QualifiedApiName IN ('Account', 'Contact')";
  assert.equal((await tooling.query(soql)).records.length, 2);
  const fields = await tooling
    .sobject("FieldDefinition")
    .find({ "EntityDefinition.QualifiedApiName": "Account" }, ["QualifiedApiName"]);
  assert.ok(fields.some((field) => field.QualifiedApiName === key));
  assert.equal((await tooling.describe("EntityDefinition")).name, "EntityDefinition");
  assert.equal((await tooling.describeSObject$("EntityDefinition")).name, "EntityDefinition");
  assert.ok((await tooling.describeGlobal()).sobjects.some((one) => one.name === "FieldDefinition"));
  assert.ok((await tooling.describeGlobal$()).sobjects.length >= 2);
  await assert.rejects(tooling.query("SELECT Id FROM ApexClass"), code("INVALID_TYPE"));
});
await check("raw requests in every verb", async () => {
  const base = `/services/data/v${version}`;
  assert.ok((await conn.request("/sobjects")).sobjects.length > 0);
  assert.ok((await conn.request({ method: "GET", url: `${conn.instanceUrl}${base}/limits` })).DailyApiRequests);
  const made = await conn.requestPost(`${base}/sobjects/Account`, { Name: `${run} raw` });
  assert.equal((await conn.requestGet(`${base}/sobjects/Account/${made.id}`)).Name, `${run} raw`);
  await conn.requestPatch(`${base}/sobjects/Account/${made.id}`, { Site: "raw" });
  assert.equal((await conn.requestGet(`${base}/sobjects/Account/${made.id}?fields=Site`)).Site, "raw");
  await conn.requestDelete(`${base}/sobjects/Account/${made.id}`);
  await assert.rejects(conn.requestGet(`${base}/sobjects/Account/${made.id}`), code("ENTITY_IS_DELETED"));
  await assert.rejects(conn.requestPut(`${base}/sobjects/Account/${made.id}`, {}), code("METHOD_NOT_ALLOWED"));
});
