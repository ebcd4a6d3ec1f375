// jsforce signs in, out, and in again, in every way it knows.
import assert from "node:assert/strict";
import jsforce from "jsforce";
import { check, clientId, clientSecret, code, connect, oauth2, password, token, url, username, version } from "./harness.mjs";

const soql = "SELECT Id FROM Account LIMIT 1";
const dead = "00D000000000000!dead";

// Does what a person does in a browser: follows the pages, fills in the forms, and comes back with the query of the end.
async function browse(start, end, decision = "allow") {
  const jar = new Map();
  let [address, body] = [start, undefined];
  for (let step = 0; step < 10; step += 1) {
    if (address.startsWith(end)) return new URL(address).searchParams;
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join("; ");
    const reply = await fetch(address, { method: body ? "POST" : "GET", body, headers: { cookie }, redirect: "manual" });
    for (const set of reply.headers.getSetCookie()) {
      const [name, ...value] = set.split(";")[0].split("=");
      jar.set(name, value.join("="));
    }
    if (reply.status >= 300 && reply.status < 400) {
      [address, body] = [new URL(reply.headers.get("location"), address).href, undefined];
      continue;
    }
    const text = (await reply.text()).replaceAll("&amp;", "&");
    assert.equal(reply.status, 200, text);
    body = new URLSearchParams();
    for (const [, name, value] of text.matchAll(/type="hidden" name="([^"]+)" value="([^"]*)"/g)) body.set(name, value);
    if (text.includes('name="pw"')) {
      body.set("username", username);
      body.set("pw", password);
    } else {
      body.set("decision", decision);
    }
    address = new URL(/<form method="post" action="([^"]+)"/.exec(text)[1], address).href;
  }
  throw new Error("the pages led nowhere");
}

await check("SOAP login and logout", async () => {
  const conn = new jsforce.Connection({ loginUrl: url, version });
  const user = await conn.login(username, password + token);
  assert.match(user.id, /^005\w{15}$/);
  assert.match(user.organizationId, /^00D\w{15}$/);
  assert.ok(conn.accessToken && conn.instanceUrl.startsWith(url));
  const { accessToken, instanceUrl } = conn;
  await conn.logout();
  assert.equal(conn.accessToken, null);
  const again = new jsforce.Connection({ instanceUrl, accessToken, version });
  await assert.rejects(again.query(soql), code("INVALID_SESSION_ID"));
});
await check("loginBySoap and logoutBySoap by name", async () => {
  const conn = new jsforce.Connection({ loginUrl: url, version });
  await conn.loginBySoap(username, password + token);
  assert.equal((await conn.identity()).username, username);
  await conn.logoutBySoap();
});
await check("SOAP login refused", async () => {
  const conn = new jsforce.Connection({ loginUrl: url, version });
  await assert.rejects(conn.login(username, "wrong"), /INVALID_LOGIN/);
});
await check("user name and password by OAuth, and logout", async () => {
  const conn = new jsforce.Connection({ oauth2, version });
  const user = await conn.login(username, password + token);
  assert.match(user.id, /^005\w{15}$/);
  assert.match(user.url, /\/id\/00D\w+\/005\w+$/);
  const { accessToken, instanceUrl } = conn;
  await conn.logoutByOAuth2();
  const again = new jsforce.Connection({ instanceUrl, accessToken, version });
  await assert.rejects(again.query(soql), code("INVALID_SESSION_ID"));
  await assert.rejects(new jsforce.Connection({ oauth2, version }).loginByOAuth2(username, "wrong"), code("invalid_grant"));
});
await check("client credentials", async () => {
  const conn = new jsforce.Connection({ oauth2, instanceUrl: url, version });
  const user = await conn.authorize({ grant_type: "client_credentials" });
  assert.match(user.id, /^005\w{15}$/);
  await conn.query(soql);
  const wrong = new jsforce.Connection({ oauth2: { ...oauth2, clientSecret: "wrong" }, version });
  await assert.rejects(wrong.authorize({ grant_type: "client_credentials" }), code("invalid_client"));
});

let refreshToken;
await check("web server flow through the pages", async () => {
  const conn = new jsforce.Connection({ oauth2, version });
  const address = conn.oauth2.getAuthorizationUrl({ scope: "api refresh_token", state: "a b&c" });
  const back = await browse(address, oauth2.redirectUri);
  assert.equal(back.get("state"), "a b&c");
  const user = await conn.authorize(back.get("code"));
  assert.equal((await conn.identity()).user_id, user.id);
  refreshToken = conn.refreshToken;
  assert.ok(refreshToken);
  await assert.rejects(new jsforce.Connection({ oauth2, version }).authorize(back.get("code")), code("invalid_grant"));
});
await check("web server flow with PKCE", async () => {
  const conn = new jsforce.Connection({ oauth2: { ...oauth2, useVerifier: true }, version });
  const address = conn.oauth2.getAuthorizationUrl({ scope: "api" });
  assert.match(address, /code_challenge=[\w-]{43}/);
  const codes = [(await browse(address, oauth2.redirectUri)).get("code"), (await browse(address, oauth2.redirectUri)).get("code")];
  const other = new jsforce.Connection({ oauth2: { ...oauth2, useVerifier: true }, version });
  await assert.rejects(other.authorize(codes[0]), code("invalid_request"));
  await conn.authorize(codes[1]);
  await conn.query(soql);
});
await check("a person says no", async () => {
  const asked = new jsforce.OAuth2(oauth2).getAuthorizationUrl({ prompt: "consent" });
  assert.equal((await browse(asked, oauth2.redirectUri, "deny")).get("error"), "access_denied");
});
await check("requestToken, refreshToken, revokeToken", async () => {
  const client = new jsforce.OAuth2(oauth2);
  const fresh = await client.refreshToken(refreshToken);
  assert.equal(fresh.token_type, "Bearer");
  const granted = await client.requestToken({ grant_type: "refresh_token", refresh_token: refreshToken });
  assert.ok(granted.access_token && granted.instance_url.startsWith(url));
  assert.ok((await client.authenticate(username, password + token)).access_token);
  await client.revokeToken(fresh.access_token);
  const conn = new jsforce.Connection({ instanceUrl: url, accessToken: fresh.access_token, version });
  await assert.rejects(conn.query(soql), code("INVALID_SESSION_ID"));
  await assert.rejects(client.refreshToken("nonsense"), code("invalid_grant"));
});
await check("the refresh event of a connection with a refresh token", async () => {
  const conn = new jsforce.Connection({ oauth2, instanceUrl: url, accessToken: dead, refreshToken, version });
  const seen = [];
  conn.on("refresh", (accessToken, reply) => seen.push([accessToken, reply.instance_url]));
  await Promise.all([conn.query(soql), conn.query(soql), conn.identity()]);
  assert.deepEqual(seen, [[conn.accessToken, url]]);
});
await check("a refresh function", async () => {
  const good = await connect();
  let refreshed = 0;
  const conn = new jsforce.Connection({
    instanceUrl: url,
    accessToken: dead,
    version,
    refreshFn: (_conn, callback) => {
      refreshed += 1;
      callback(null, good.accessToken);
    },
  });
  await conn.query(soql);
  conn.accessToken = dead;
  conn.bulk.pollInterval = 50;
  const records = await (await conn.bulk.query("SELECT Id FROM Account LIMIT 1")).toArray();
  assert.ok(records.length <= 1);
  assert.equal(refreshed, 2);
});
await check("logout that revokes the refresh token", async () => {
  const conn = new jsforce.Connection({ oauth2, instanceUrl: url, accessToken: dead, refreshToken, version });
  await conn.query(soql);
  await conn.logout(true);
  await assert.rejects(new jsforce.OAuth2(oauth2).refreshToken(refreshToken), code("invalid_grant"));
});
await check("a session from elsewhere", async () => {
  const good = await connect();
  const given = { sessionId: good.accessToken, serverUrl: `${url}/services/Soap/u/${version}` };
  const conn = new jsforce.Connection({ ...given, version });
  assert.equal((await conn.query(soql)).done, true);
  const ended = new jsforce.Connection({ instanceUrl: url, accessToken: dead, version });
  await assert.rejects(ended.query(soql), code("INVALID_SESSION_ID"));
});
await check("an app without a secret cannot take codes that need one", async () => {
  const open = { ...oauth2, clientSecret: undefined };
  const back = await browse(new jsforce.OAuth2(open).getAuthorizationUrl(), oauth2.redirectUri);
  await assert.rejects(new jsforce.Connection({ oauth2: open, version }).authorize(back.get("code")));
  assert.ok(clientId && clientSecret);
});
await check("identity, limits and limit info", async () => {
  const conn = await connect({ callOptions: { client: "contract" } });
  const identity = await conn.identity();
  assert.equal(identity.username, username);
  assert.match(identity.urls.rest, /\/services\/data\/v\{version\}\/$/);
  const limits = await conn.limits();
  assert.ok(limits.DailyApiRequests.Remaining > 0);
  assert.equal(conn.limitInfo.apiUsage.limit, limits.DailyApiRequests.Max);
  const { used } = conn.limitInfo.apiUsage;
  await conn.query(soql);
  assert.equal(conn.limitInfo.apiUsage.used, used + 1);
});
