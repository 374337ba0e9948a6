// AWS SDK for JavaScript v3 in a pod: who am I, which buckets are there. Credentials and endpoints by the environment alone.
//
// Usage: node main.mjs MODULES
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const load = (name) => import(pathToFileURL(createRequire(`${process.argv[2]}/`).resolve(name)));
const { STSClient, GetCallerIdentityCommand } = await load("@aws-sdk/client-sts");
const { S3Client, ListBucketsCommand } = await load("@aws-sdk/client-s3");
const who = await new STSClient({}).send(new GetCallerIdentityCommand({}));
console.log(who.Arn);
const listed = await new S3Client({ forcePathStyle: true }).send(new ListBucketsCommand({}));
console.log(JSON.stringify((listed.Buckets ?? []).map((bucket) => bucket.Name)));
