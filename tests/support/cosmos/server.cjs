// Azure Cosmos DB on loopback for the tests: npm's @vercel/cosmosdb-server with its departures from the service put
// right from outside, https only. Told of itself on stdout: one line "ready <port>".
//
//   COSMOS_KEY=<base64> node server.cjs <certificate.pem> <key.pem>
//
// What is put right: a missing item is 404; nothing of another partition is read, queried or written; batches are done
// whole or not at all; `ttl` of items and containers ends them; keys are checked; ETags have quotes; items have a
// largest size. What the tests add lies under /-/control: refusals by 429 or 503, replies that are lost after the work
// was done, a clock that is moved, tokens that are accepted as an identity's.
"use strict";
const crypto = require("crypto");
const fs = require("fs");
const path = require("path");

const LIB = path.join(__dirname, "node_modules", "@vercel", "cosmosdb-server", "lib");
const MAX_ITEM_BYTES = 2 * 1024 * 1024, MAX_PAGE_BYTES = 4 * 1024 * 1024, MAX_BATCH = 100;
const [certificate, privateKey] = process.argv.slice(2);
const MASTER_KEY = Buffer.from(process.env.COSMOS_KEY || "", "base64");

// --- What the tests turn -------------------------------------------------------------------------------------------
const machineNow = Date.now.bind(Date);
const control = { throttle: 0, retryAfterMs: 10, unavailable: 0, lose: 0, loseWrites: 0, stall: 0, tokens: [], advanceMs: 0 };
const counts = { requests: 0, throttled: 0 };
Date.now = () => machineNow() + control.advanceMs;
// The service's ETags are texts with quotes in them; the package takes its own from here.
const plainUUID = crypto.randomUUID.bind(crypto);
crypto.randomUUID = () => `"${plainUUID()}"`;

// --- Partitions and time -------------------------------------------------------------------------------------------
class Refusal extends Error {
  constructor(status, code, message) { super(message); Object.assign(this, { status, code }); }
}
const missing = () => new Refusal(404, "NotFound", "There is no such resource.");
const stale = () => new Refusal(412, "PreconditionFailed", "The ETag is another one.");

function collectionOf(account, params) {
  const found = account.database(params.dbId).collection(params.collId);
  const meta = found.read();
  if (!meta) throw missing();
  if (meta.defaultTtl !== undefined && meta.defaultTtl !== null) {
    for (const item of [...found.documents._data.values()]) {
      const doc = item.read(), life = typeof doc.ttl === "number" ? doc.ttl : meta.defaultTtl;
      if (life > 0 && (doc._ts + life) * 1000 <= Date.now()) remove(found, doc);
    }
  }
  return found;
}
const partitionPath = (collection) => collection.read().partitionKey.paths[0].slice(1).split("/");
const partitionIn = (collection, doc) => partitionPath(collection).reduce((inner, name) => (inner ? inner[name] : undefined), doc);
function partitionAsked(request) {
  const header = request.headers["x-ms-documentdb-partitionkey"];
  return header === undefined ? undefined : JSON.parse(header)[0];
}
const documentsOf = (collection, partition) =>
  [...collection.documents._data.values()].map((item) => item.read())
    .filter((doc) => partition === undefined || partitionIn(collection, doc) === partition);
const find = (collection, partition, id) => documentsOf(collection, partition).find((doc) => doc.id === id);
const remove = (collection, doc) => collection.documents.delete(doc.id, partitionIn(collection, doc));

function checked(collection, partition, doc) {
  if (!doc || typeof doc.id !== "string" || !doc.id || /[\/\\?#]/.test(doc.id)) throw new Refusal(400, "BadRequest", "The id is wrong.");
  if (partitionIn(collection, doc) !== partition) throw new Refusal(400, "BadRequest", "The partition key of the item is not that of the header.");
  if (Buffer.byteLength(JSON.stringify(doc)) > MAX_ITEM_BYTES) throw new Refusal(413, "RequestEntityTooLarge", "Request size is too large");
  if (doc.ttl !== undefined && doc.ttl !== null && !(Number.isInteger(doc.ttl) && (doc.ttl === -1 || doc.ttl > 0)))
    throw new Refusal(400, "BadRequest", "The ttl is a positive whole number or -1.");
  return doc;
}

// --- One operation on one item ---------------------------------------------------------------------------------------
function operate(collection, partition, { kind, id, body, ifMatch, ifNoneMatch }) {
  const documents = collection.documents;
  const there = find(collection, partition, kind === "create" || kind === "upsert" ? body && body.id : id);
  switch (kind) {
    case "create":
      checked(collection, partition, body);
      if (there) throw new Refusal(409, "Conflict", "An item of this id exists.");
      return [201, documents.create(body)];
    case "upsert":
      checked(collection, partition, body);
      if (there && ifMatch && ifMatch !== there._etag) throw stale();
      return there ? [200, documents.replace(body, there)] : [201, documents.create(body)];
    case "read":
      if (!there) throw missing();
      return ifNoneMatch === there._etag ? [304, {}] : [200, there];
    case "replace":
      if (!there) throw missing();
      checked(collection, partition, body);
      if (body.id !== id) throw new Refusal(400, "BadRequest", "An id cannot be changed.");
      if (ifMatch && ifMatch !== there._etag) throw stale();
      return [200, documents.replace(body, there)];
    case "delete":
      if (!there) throw missing();
      if (ifMatch && ifMatch !== there._etag) throw stale();
      remove(collection, there);
      return [204, {}];
    default:
      throw new Refusal(400, "BadRequest", `no operation ${kind}`);
  }
}

const readJSON = (file) => require(path.join(LIB, file)).default;
async function bodyOf(request) { return readJSON("json")(request); }

/** Put a handler in the place of the package's own; it returns [status, body] or throws a Refusal. */
function serve(name, handle) {
  require(path.join(LIB, "handler", name)).default = async (account, request, response, params) => {
    try {
      const [status, body] = await handle(account, request, params, response);
      response.statusCode = status;
      return body;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      response.statusCode = error.status;
      return { code: error.code, message: error.message };
    }
  };
}
for (const [name, kind] of [["create-document", "create"], ["upsert-document", "upsert"], ["read-document", "read"], ["replace-document", "replace"], ["delete-document", "delete"]]) {
  serve(name, async (account, request, params) => {
    const body = ["create", "upsert", "replace"].includes(kind) ? await bodyOf(request) : undefined;
    const collection = collectionOf(account, params), partition = partitionAsked(request);
    if (partition === undefined) throw new Refusal(400, "BadRequest", "The partition key is missing.");
    return operate(collection, partition, { kind, id: params.docId, body, ifMatch: request.headers["if-match"], ifNoneMatch: request.headers["if-none-match"] });
  });
}

serve("batch-documents", async (account, request, params) => {
  const operations = await bodyOf(request), collection = collectionOf(account, params), partition = partitionAsked(request);
  if (operations.length > MAX_BATCH) throw new Refusal(400, "BadRequest", "A batch has too many operations.");
  const documents = collection.documents, kept = [new Map(documents._data), new Map(documents._index), documents._ridCount];
  const results = [];
  for (const one of operations) {
    try {
      const [statusCode, body] = operate(collection, partition, { kind: one.operationType.toLowerCase(), id: one.id, body: one.resourceBody, ifMatch: one.ifMatch });
      results.push({ statusCode, requestCharge: 1, eTag: body._etag, resourceBody: body });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      [documents._data, documents._index, documents._ridCount] = kept;
      return [207, operations.map((_, place) => ({ statusCode: place === results.length ? error.status : 424, requestCharge: 0 }))];
    }
  }
  return [200, results];
});

serve("query-documents", async (account, request, params, response) => {
  const asked = await bodyOf(request), collection = collectionOf(account, params), partition = partitionAsked(request);
  const across = String(request.headers["x-ms-documentdb-query-enablecrosspartition"]).toLowerCase() === "true";
  if (partition === undefined && !across) throw new Refusal(400, "BadRequest", "Cross partition query is required but disabled.");
  const view = Object.create(collection.documents, {
    _data: { value: new Map([...collection.documents._data].filter(([, item]) => partition === undefined || partitionIn(collection, item.read()) === partition)) },
  });
  const most = parseInt(request.headers["x-ms-max-item-count"] || "100", 10), begin = parseInt(request.headers["x-ms-continuation"] || "0", 10);
  let all;
  try {
    all = view.query(asked, {}).result;
  } catch (error) {
    throw new Refusal(400, "BadRequest", error.message);
  }
  // As the service does: a page ends at the count that was asked for or at its largest size, whichever comes first.
  let end = begin, bytes = 0;
  while (end < all.length && (most < 0 || end - begin < most)) {
    bytes += Buffer.byteLength(JSON.stringify(all[end]));
    if (bytes > MAX_PAGE_BYTES && end > begin) break;
    end += 1;
  }
  const page = all.slice(begin, end);
  if (end < all.length) response.setHeader("x-ms-continuation", String(end));
  response.setHeader("x-ms-item-count", String(page.length));
  return [200, { Documents: page, _count: page.length }];
});

// --- Who may call ----------------------------------------------------------------------------------------------------
const KINDS = new Set(["dbs", "colls", "docs", "pkranges", "udfs", "sprocs", "offers"]);
function authorized(request) {
  const given = decodeURIComponent(request.headers.authorization || "");
  const token = /^type=aad&ver=1\.0&sig=(.+)$/.exec(given);
  if (token) return control.tokens.includes(token[1]);
  // The text to sign: verb, kind of resource, link, date. Source: "Access control on Azure Cosmos DB resources".
  const steps = decodeURIComponent(request.url.split("?")[0]).split("/").filter(Boolean);
  const last = steps[steps.length - 1] || "", listed = KINDS.has(last);
  const kind = listed ? last : steps[steps.length - 2] || "", link = (listed ? steps.slice(0, -1) : steps).join("/");
  const text = `${request.method.toLowerCase()}\n${kind.toLowerCase()}\n${link}\n${String(request.headers["x-ms-date"] || "").toLowerCase()}\n\n`;
  const expected = `type=master&ver=1.0&sig=${crypto.createHmac("sha256", MASTER_KEY).update(text).digest("base64")}`;
  return MASTER_KEY.length > 0 && given.length === expected.length && crypto.timingSafeEqual(Buffer.from(given), Buffer.from(expected));
}

function refuse(response, status, code, headers = {}) {
  response.writeHead(status, { "content-type": "application/json", "x-ms-activity-id": plainUUID(), ...headers });
  response.end(JSON.stringify({ code, message: code }));
}

async function turn(request, response) {
  if (request.method === "POST") Object.assign(control, await bodyOf(request));
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify({ ...control, ...counts }));
}

const { createHttpsServer } = require(path.join(LIB, "index"));
const server = createHttpsServer({ keepAlive: true, cert: fs.readFileSync(certificate), key: fs.readFileSync(privateKey), minVersion: "TLSv1.2" });
const [inner] = server.listeners("request");
server.removeAllListeners("request");
server.keepAliveTimeout = 60000;
server.on("request", (request, response) => {
  if (request.url === "/-/control") return void turn(request, response);
  if (!authorized(request)) return void refuse(response, 401, "Unauthorized");
  const ofItems = /\/docs(\/|$)/.test(request.url);
  if (ofItems) {
    counts.requests += 1;
    if (control.throttle > 0) {
      control.throttle -= 1;
      counts.throttled += 1;
      return void refuse(response, 429, "TooManyRequests", { "x-ms-retry-after-ms": String(control.retryAfterMs), "x-ms-substatus": "3200" });
    }
    if (control.unavailable > 0) {
      control.unavailable -= 1;
      return void refuse(response, 503, "ServiceUnavailable");
    }
    if (control.stall > 0) {
      control.stall -= 1;
      return undefined; // Never answered.
    }
    const writes = request.method !== "GET" && !/isquery|query\+json/.test(Object.keys(request.headers).join() + request.headers["content-type"]);
    const lost = control.lose > 0 ? "lose" : control.loseWrites > 0 && writes ? "loseWrites" : null;
    if (lost) {
      control[lost] -= 1;
      // The work is done and the reply never arrives.
      response.end = () => request.socket.destroy();
    }
  }
  return inner(request, response);
});
server.listen(0, "127.0.0.1", () => console.log(`ready ${server.address().port}`));
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(0));
