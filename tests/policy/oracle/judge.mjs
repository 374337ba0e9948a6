// Reads one simulation a line (JSON), answers one line each: Allowed, ImplicitlyDenied or ExplicitlyDenied.
// The engine is called below its input validation, since that drops context keys that its data do not know.
import { createInterface } from "node:readline";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const modules = process.argv[2];
const load = (path) => import(pathToFileURL(join(modules, "@cloud-copilot", path)).href);
const { authorize } = await load("iam-simulate/dist/esm/core_engine/CoreSimulatorEngine.js");
const { AwsRequestImpl } = await load("iam-simulate/dist/esm/request/request.js");
const { RequestContextImpl } = await load("iam-simulate/dist/esm/requestContext.js");
const { DiscoveryContextKeyConstraints } = await load(
  "iam-simulate/dist/esm/context_keys/discoveryContextKeyConstraints.js",
);
const { loadPolicy } = await load("iam-policy/dist/esm/index.js");

function judged({ principal, action, resource, account, context, identity, boundary, session, policy }) {
  const named = (document, index) => loadPolicy(document, { name: `policy ${index}` });
  const optional = (document, name) => (document ? loadPolicy(document, { name }) : undefined);
  return authorize({
    request: new AwsRequestImpl(principal, { resource, accountId: account }, action, new RequestContextImpl(context)),
    identityPolicies: identity.map(named),
    permissionBoundaries: boundary ? [optional(boundary, "boundary")] : undefined,
    sessionPolicy: optional(session, "session"),
    resourcePolicy: optional(policy, "resource"),
    serviceControlPolicies: [],
    resourceControlPolicies: [],
    vpcEndpointPolicies: undefined,
    serviceSettings: {},
    simulationParameters: {
      simulationMode: "Strict",
      discoveryContextKeyConstraints: new DiscoveryContextKeyConstraints([]),
    },
  }).result;
}

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    answer = judged(JSON.parse(line));
  } catch (problem) {
    answer = `error: ${problem.message}`;
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
