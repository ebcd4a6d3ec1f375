// What jsforce offers beside REST and Bulk: every call ends in a clear error, and none in a reply that was made up.
import assert from "node:assert/strict";
import { check, code, connect, url } from "./harness.mjs";

const conn = await connect();
const missing = code("NOT_FOUND");

await check("Apex REST", async () => {
  for (const verb of ["get", "post", "put", "patch", "delete", "del"]) {
    await assert.rejects(conn.apex[verb]("/loader/start", {}), missing, verb);
  }
});
await check("Apex by tooling", async () => {
  await assert.rejects(conn.tooling.executeAnonymous("System.debug(1);"), missing);
  await assert.rejects(conn.tooling.runTestsAsynchronous({ classNames: "A" }), missing);
  await assert.rejects(conn.tooling.runTestsSynchronous({ tests: [] }), missing);
  await assert.rejects(conn.tooling.completions("apex"), missing);
  await assert.rejects(conn.tooling.sobject("ApexClass").create({ Body: "class A {}" }), missing);
  await assert.rejects(conn.tooling.sobject("EntityDefinition").create({}), code("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"));
  await assert.rejects(conn.tooling.sobject("EntityDefinition").destroy("000000000000001AAA"), code("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"));
});
await check("rows of tooling by id", async () => {
  const { tooling } = conn;
  await assert.rejects(tooling.retrieve("EntityDefinition", "000000000000001AAA"), missing);
  await assert.rejects(tooling.update("ApexClass", { Id: "01p000000000001AAA", Body: "" }), missing);
});
await check("metadata", async () => {
  await assert.rejects(conn.metadata.describe(), code("sf:INVALID_OPERATION"));
  await assert.rejects(conn.metadata.list({ type: "CustomObject" }), /Metadata API/);
  await assert.rejects(conn.metadata.read("CustomObject", ["Account"]), /Metadata API/);
});
await check("calls of SOAP beside signing in", async () => {
  await assert.rejects(conn.soap.convertLead([{ leadId: "00Q000000000001AAA" }]), /signing in and out only/);
  await assert.rejects(conn.soap.describeTabs(), /signing in and out only/);
  assert.ok((await conn.soap.getServerTimestamp()).timestamp);
  assert.equal((await conn.soap.getUserInfo()).userName, (await conn.identity()).username);
});
await check("analytics", async () => {
  await assert.rejects(conn.analytics.reports(), missing);
  await assert.rejects(conn.analytics.report("00O000000000001AAA").describe(), missing);
  await assert.rejects(conn.analytics.dashboards(), missing);
});
await check("chatter", async () => {
  await assert.rejects(Promise.resolve(conn.chatter.resource("/users/me").retrieve()), missing);
  await assert.rejects(Promise.resolve(conn.chatter.resource("/feeds/news/me/feed-elements").create({})), missing);
});
await check("streaming", async () => {
  await assert.rejects(conn.streaming.channel("/u/x").push({ payload: "x", userIds: [] }), (error) => /NOT_FOUND|INVALID_TYPE/.test(error.errorCode));
  assert.equal((await fetch(`${url}/cometd/62.0`, { method: "POST", body: "[]" })).status, 404);
});
await check("quick actions", async () => {
  await assert.rejects(conn.quickAction("LogACall").describe(), missing);
  await assert.rejects(conn.quickAction("LogACall").defaultValues(), missing);
  await assert.rejects(conn.sobject("Account").quickAction("New").defaultValues("001000000000001AAA"), missing);
  await assert.rejects(conn.sobject("Account").quickAction("New").execute("001000000000001AAA", {}), missing);
});
await check("workflow rules and approvals", async () => {
  const id = "001000000000001AAA";
  await assert.rejects(conn.process.rule.trigger(id), code("FUNCTIONALITY_NOT_ENABLED"));
  const { approval } = conn.process;
  for (const verb of ["submit", "approve", "reject"]) {
    await assert.rejects(Promise.resolve(approval[verb](id, "please")), code("NO_APPLICABLE_PROCESS"), verb);
  }
  await assert.rejects(approval.request([{ actionType: "Submit", contextId: id }]), code("NO_APPLICABLE_PROCESS"));
});
