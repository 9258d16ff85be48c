// A receiver as one would write it without a framework: verifies a webhook with Node's own crypto, and
// queues it. Tenants are cached for a minute.

import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

import { DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';
import { DecryptCommand, KMSClient } from '@aws-sdk/client-kms';
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';

import { run } from './runtime.js';

const LEEWAY = 60;
const LIFETIME = 60_000;

const { APP_KEY, QUEUE_URL, TENANTS_KEY, TENANTS_TABLE } = process.env;
const dynamodb = new DynamoDBClient();
const kms = new KMSClient();
const sqs = new SQSClient();
const tenants = new Map();

await run(async (event) => {
  const token = event.headers.authorization?.match(/^JWT (.+)$/i)?.[1];
  const [header, claims, signature] = token?.split('.') ?? [];
  if (!signature || read(header).alg !== 'HS256') return refused(401);
  const { iss, exp, iat, qsh } = read(claims);
  const now = Math.floor(Date.now() / 1000);
  if (exp + LEEWAY < now || iat - LEEWAY > now) return refused(401);
  if (qsh !== queryStringHash(event)) return refused(401);
  const tenant = await tenantOf(iss);
  if (!tenant) return refused(401);
  const expected = createHmac('sha256', tenant.secret).update(`${header}.${claims}`).digest();
  const given = Buffer.from(signature, 'base64url');
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return refused(401);

  const name = JSON.parse(event.body).webhookEvent;
  if (name !== 'jira:issue_created') return refused(404);
  const message = {
    id: event.requestContext.requestId,
    event: name,
    product: tenant.product,
    tenant: iss,
    baseUrl: tenant.baseUrl,
    receivedAt: new Date().toISOString(),
    identifier: event.headers['x-atlassian-webhook-identifier'],
    payload: event.body,
  };
  const { MessageId } = await sqs.send(new SendMessageCommand({
    QueueUrl: QUEUE_URL,
    MessageBody: JSON.stringify(message),
    MessageGroupId: iss,
    MessageAttributes: {
      event: { DataType: 'String', StringValue: name },
      tenant: { DataType: 'String', StringValue: iss },
    },
  }));
  console.log(JSON.stringify({ level: 'INFO', message: 'queued', event: name, tenant: iss, MessageId }));
  return { statusCode: 204, body: '' };
});

function read(segment) {
  return JSON.parse(Buffer.from(segment, 'base64url').toString());
}

function refused(statusCode) {
  console.log(JSON.stringify({ level: 'WARN', message: 'refused', statusCode }));
  return { statusCode, body: '' };
}

function queryStringHash({ rawPath, rawQueryString, requestContext }) {
  const encode = (text) =>
    encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  const parameters = new Map();
  for (const [name, value] of new URLSearchParams(rawQueryString)) {
    if (name === 'jwt') continue;
    parameters.set(encode(name), [...(parameters.get(encode(name)) ?? []), encode(value)]);
  }
  const query = [...parameters].sort().map(([name, values]) => `${name}=${values.sort().join(',')}`).join('&');
  const canonical = `${requestContext.http.method}&${rawPath}&${query}`;
  return createHash('sha256').update(canonical).digest('hex');
}

async function tenantOf(clientKey) {
  const cached = tenants.get(clientKey);
  if (cached && cached.until > Date.now()) return cached;
  const { Item } = await dynamodb.send(new GetItemCommand({
    TableName: TENANTS_TABLE,
    Key: { clientKey: { S: clientKey } },
    ConsistentRead: true,
  }));
  if (!Item?.sharedSecret) return undefined;
  const { Plaintext } = await kms.send(new DecryptCommand({
    KeyId: TENANTS_KEY,
    CiphertextBlob: Item.sharedSecret.B,
    EncryptionContext: { app: APP_KEY, clientKey },
  }));
  const tenant = {
    secret: Buffer.from(Plaintext),
    product: Item.product.S,
    baseUrl: Item.baseUrl.S,
    until: Date.now() + LIFETIME,
  };
  tenants.set(clientKey, tenant);
  return tenant;
}
