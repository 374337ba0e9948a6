// Verifies ServiceAccount tokens with openid-client (discovery) and jose (keys, signature), on Node.
//
// Usage: node verify.mjs MODULES ISSUER PORT CA-FILE AUDIENCE; tokens in, answers out, a line each.
import { readFileSync } from "node:fs";
import https from "node:https";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [modules, issuer, port, caFile, audience] = process.argv.slice(2);
const load = (name) => import(pathToFileURL(createRequire(`${modules}/`).resolve(name)));
const oidc = await load("openid-client");
const jose = await load("jose");
const ca = readFileSync(caFile);

// The issuer's name is one of the cluster's; everything but the address is as in the cluster.
const toOurs = (url, options = {}) =>
  new Promise((resolve, reject) => {
    const { hostname, pathname, search } = new URL(url);
    const target = { host: "127.0.0.1", port, servername: hostname, ca, path: pathname + search };
    const headers = { ...Object.fromEntries(new Headers(options.headers ?? {})), host: hostname };
    const request = https.request({ ...target, method: options.method ?? "GET", headers }, (answer) => {
      const chunks = [];
      answer.on("data", (chunk) => chunks.push(chunk));
      answer.on("end", () => resolve(new Response(Buffer.concat(chunks), { status: answer.statusCode, headers: answer.headers })));
    });
    request.on("error", reject);
    request.end();
  });

const config = await oidc.discovery(new URL(issuer), audience, undefined, undefined, { [oidc.customFetch]: toOurs });
const server = config.serverMetadata();
const keys = jose.createRemoteJWKSet(new URL(server.jwks_uri), { [jose.customFetch]: toOurs });
const algorithms = server.id_token_signing_alg_values_supported;
for await (const token of createInterface({ input: process.stdin })) {
  try {
    const { payload } = await jose.jwtVerify(token, keys, { issuer: server.issuer, audience, algorithms });
    console.log("ok", payload.sub);
  } catch (problem) {
    console.log("refused:", problem.message);
  }
}
