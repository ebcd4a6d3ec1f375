// What the scripts of this folder share: the org's address and people from the command line, and one JSON line per check.
// A check that throws is told with its message; nothing here knows that the org is emulated.
import jsforce from "jsforce";

export const [url, username, password, token, clientId, clientSecret, ...more] = process.argv.slice(2);
export const version = "62.0";
export const key = "External_Id__c";
//: A mark that no other run has, so that rows of one run are told from those of others.
export const run = `js${Date.now().toString(36)}${Math.random().toString(36).slice(2, 5)}`;
export const oauth2 = { loginUrl: url, clientId, clientSecret, redirectUri: "http://localhost:1717/callback" };

export async function check(name, work) {
  try {
    await work();
    console.log(JSON.stringify({ name, ok: true }));
  } catch (error) {
    process.exitCode = 1;
    const text = String(error?.stack ?? error).split("\n").slice(0, 8).join(" | ");
    console.log(JSON.stringify({ name, ok: false, error: text }));
  }
}

// A connection of a user who signed in; bulk jobs are asked for often.
export async function connect(options = {}) {
  const conn = new jsforce.Connection({ oauth2, version, ...options });
  await conn.login(username, password + token);
  for (const api of [conn.bulk, conn.bulk2]) {
    api.pollInterval = 50;
    api.pollTimeout = 60_000;
  }
  return conn;
}

// Rows `{run} {mark} 000` and so on of accounts with keys.
export function rows(mark, count) {
  return Array.from({ length: count }, (_, n) => ({
    Name: `${run} ${mark} ${String(n).padStart(3, "0")}`,
    [key]: `${run}-${mark}-${n}`,
  }));
}

export function code(wanted) {
  return (error) => {
    if (error.errorCode === wanted || error.name === wanted) return true;
    throw new Error(`not ${wanted}: ${error.errorCode ?? error.name} ${error.message}`);
  };
}

// The events of an emitter among those named, as they come.
export function listen(emitter, ...names) {
  const seen = [];
  for (const name of names) emitter.on(name, () => seen.push(name));
  return seen;
}
