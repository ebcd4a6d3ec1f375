// jsforce writes and reads rows: one, many, by key, in trees and composites, with their bytes.
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { check, code, connect, key, more, rows, run, version } from "./harness.mjs";

const conn = await connect();
const accounts = conn.sobject("Account");
const path = `/services/data/v${version}`;
let id;

await check("create and retrieve", async () => {
  const made = await accounts.create({ Name: `${run} one`, NumberOfEmployees: 3 });
  assert.deepEqual([made.success, made.errors], [true, []]);
  id = made.id;
  const record = await accounts.retrieve(id);
  assert.deepEqual([record.Name, record.NumberOfEmployees, record.attributes.type], [`${run} one`, 3, "Account"]);
  const part = await conn.retrieve("Account", id, { fields: ["Name"] });
  assert.deepEqual(Object.keys(part).sort(), ["Id", "Name", "attributes"]);
});
await check("create by every name", async () => {
  for (const create of [conn.create, conn.insert]) {
    assert.ok((await create.call(conn, "Account", { Name: `${run} name` })).success);
  }
  assert.ok((await accounts.insert({ Name: `${run} name` })).success);
  assert.equal(await accounts.count({ Name: `${run} name` }), 3);
});
await check("create refused", async () => {
  await assert.rejects(accounts.create({}), (error) => {
    return error.errorCode === "REQUIRED_FIELD_MISSING" && /\[Name\]/.test(error.message);
  });
});
await check("update and delete by every name", async () => {
  assert.ok((await accounts.update({ Id: id, Name: `${run} two` })).success);
  assert.ok((await conn.update("Account", { Id: id, Site: "x" })).success);
  assert.deepEqual([(await accounts.retrieve(id)).Name, (await accounts.retrieve(id)).Site], [`${run} two`, "x"]);
  const ids = (await accounts.create(rows("del", 6))).map((one) => one.id);
  const calls = [
    accounts.destroy(ids[0]), accounts.delete(ids[1]), accounts.del(ids[2]),
    conn.destroy("Account", ids[3]), conn.delete("Account", ids[4]), conn.del("Account", ids[5]),
  ];
  assert.ok((await Promise.all(calls)).every((result) => result.success));
  await assert.rejects(accounts.retrieve(ids[0]), code("ENTITY_IS_DELETED"));
  assert.equal(await accounts.count({ Name: { $like: `${run} del%` } }), 0);
});
await check("one row by reference", async () => {
  const one = accounts.record(id);
  assert.equal((await one.retrieve()).Name, `${run} two`);
  assert.ok((await one.update({ Site: "ref" })).success);
  assert.equal((await one.retrieve({ fields: ["Site"] })).Site, "ref");
  assert.ok((await one.destroy()).success);
  await assert.rejects(one.delete(), code("ENTITY_IS_DELETED"));
});
await check("bytes of a row", async () => {
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, n) => n));
  const made = await conn.sobject("ContentVersion").create({
    Title: run, PathOnClient: "a.bin", VersionData: bytes.toString("base64"),
  });
  const parts = [];
  for await (const part of conn.sobject("ContentVersion").record(made.id).blob("VersionData")) parts.push(part);
  assert.deepEqual(Buffer.concat(parts), bytes);
});
await check("upsert by external id and by Id", async () => {
  const record = { Name: `${run} up`, [key]: `${run} a b+c` };
  const first = await accounts.upsert(record, key);
  assert.equal(first.created, true);
  const second = await conn.upsert("Account", { ...record, Name: `${run} again` }, key);
  assert.deepEqual([second.created, second.id], [false, first.id]);
  assert.equal((await accounts.retrieve(first.id)).Name, `${run} again`);
});
await check("relationships by external id", async () => {
  await accounts.upsert({ Name: `${run} parent`, [key]: `${run}-p` }, key);
  const made = await conn.create("Contact", { LastName: run, Account: { [key]: `${run}-p` } });
  const found = await conn.query(`SELECT Account.Name FROM Contact WHERE Id = '${made.id}'`);
  assert.equal(found.records[0].Account.Name, `${run} parent`);
});
await check("collections in all verbs", async () => {
  const made = await accounts.create([{ Name: `${run} c1` }, {}, { Name: `${run} c2` }]);
  assert.deepEqual(made.map((result) => result.success), [true, false, true]);
  assert.equal(made[1].errors[0].errorCode ?? made[1].errors[0].statusCode, "REQUIRED_FIELD_MISSING");
  const ids = [made[0].id, made[2].id];
  const changed = await accounts.update(ids.map((one) => ({ Id: one, Site: "x" })));
  assert.ok(changed.every((result) => result.success));
  const read = await accounts.retrieve([...ids].reverse(), { fields: ["Site", "Name"] });
  assert.deepEqual(read.map((record) => [record.Site, record.Name]), [["x", `${run} c2`], ["x", `${run} c1`]]);
  const merged = await accounts.upsert(rows("u", 2), key);
  assert.deepEqual(merged.map((result) => result.created), [true, true]);
  await assert.rejects(accounts.upsert([{ Name: "no key" }], key), /External ID is not found/);
  assert.ok((await accounts.upsert(rows("u", 2), key)).every((result) => result.created === false));
  assert.ok((await accounts.destroy(ids)).every((result) => result.success));
  assert.equal(await accounts.count({ Id: ids }), 0);
});
await check("all or none, and options of one call", async () => {
  for (const verb of ["create", "update", "upsert"]) {
    const good = { Name: `${run} aon`, ...(verb === "upsert" && { [key]: `${run}-aon` }) };
    const bad = verb === "update" ? { Id: "001000000000001AAA", Name: "x" } : { ...(verb === "upsert" && { [key]: `${run}-aon2` }) };
    const given = verb === "update" ? [{ ...good, Id: (await accounts.create(rows("aonu", 1)))[0].id }, bad] : [good, bad];
    const done = await accounts[verb](given, ...(verb === "upsert" ? [key] : []), { allOrNone: true });
    assert.ok(done.every((result) => !result.success), verb);
    assert.equal(await accounts.count({ Name: `${run} aon` }), 0, verb);
  }
  const [kept] = await accounts.create(rows("aond", 1));
  const gone = await accounts.destroy([kept.id, "001000000000001AAA"], { allOrNone: true });
  assert.ok(gone.every((result) => !result.success));
  assert.equal(await accounts.count({ Id: kept.id }), 1);
  await accounts.create({ Name: `${run} hdr` }, { headers: { "Sforce-Auto-Assign": "FALSE" } });
});
await check("more rows than a call takes", async () => {
  const many = rows("many", 450);
  const made = await accounts.create(many, { allowRecursive: true });
  assert.equal(made.filter((result) => result.success).length, 450);
  const ids = made.map((result) => result.id);
  assert.equal((await accounts.retrieve(ids)).length, 450);
  const changed = await accounts.update(ids.map((one) => ({ Id: one, Site: "many" })), { allowRecursive: true });
  assert.equal(changed.length, 450);
  const merged = await accounts.upsert(many.slice(0, 201), key, { allowRecursive: true });
  assert.ok(merged.every((result) => result.created === false));
  assert.equal(await accounts.count({ Site: "many", Name: { $like: `${run} many%` } }), 450);
  assert.ok((await accounts.destroy(ids, { allowRecursive: true })).every((result) => result.success));
  assert.equal(await accounts.count({ Name: { $like: `${run} many%` } }), 0);
  await assert.rejects(accounts.create(rows("toomany", 201)), /EXCEEDED|limit/i);
});
await check("an old version works row by row", async () => {
  const old = await connect({ version: "41.0" });
  const made = await old.sobject("Account").create(rows("old", 3));
  assert.ok(made.every((result) => result.success));
  const ids = made.map((result) => result.id);
  assert.equal((await old.sobject("Account").retrieve(ids)).length, 3);
  assert.ok((await old.sobject("Account").update(ids.map((one) => ({ Id: one, Site: "old" })))).every((one) => one.success));
  assert.ok((await old.sobject("Account").upsert(rows("old", 3), key)).every((one) => one.success));
  assert.ok((await old.sobject("Account").destroy(ids)).every((one) => one.success));
  assert.equal(await accounts.count({ Name: { $like: `${run} old%` } }), 0);
});
await check("composite with a reference, batch, tree and graph", async () => {
  const body = { allOrNone: true, compositeRequest: [
    { method: "POST", url: `${path}/sobjects/Account`, referenceId: "a", body: { Name: `${run} comp` } },
    { method: "POST", url: `${path}/sobjects/Contact`, referenceId: "c", body: { LastName: run, AccountId: "@{a.id}" } },
  ] };
  const reply = await conn.requestPost(`${path}/composite`, body);
  assert.deepEqual(reply.compositeResponse.map((one) => one.httpStatusCode), [201, 201]);
  const batch = await conn.requestPost(`${path}/composite/batch`, { batchRequests: [{ method: "GET", url: `v${version}/limits` }] });
  assert.equal(batch.hasErrors, false);
  const tree = await conn.requestPost(`${path}/composite/tree/Account`, {
    records: [{ attributes: { type: "Account", referenceId: "t" }, Name: `${run} tree` }],
  });
  assert.equal(tree.results[0].referenceId, "t");
  const graphs = [{ graphId: "g", compositeRequest: body.compositeRequest }];
  assert.ok((await conn.requestPost(`${path}/composite/graph`, { graphs })).graphs[0].isSuccessful);
  assert.equal(await accounts.count({ Name: `${run} comp` }), 2);
});
await check("updated and deleted rows since then", async () => {
  const [kept, gone, start, end] = more;
  const changed = await accounts.updated(start, end);
  assert.ok(changed.ids.includes(kept) && !changed.ids.includes(gone));
  assert.deepEqual(await conn.updated("Account", new Date(start), new Date(end)), changed);
  const removed = await accounts.deleted(start, end);
  assert.ok(removed.deletedRecords.some((record) => record.id === gone));
  assert.deepEqual(await conn.deleted("Account", new Date(start), new Date(end)), removed);
});
