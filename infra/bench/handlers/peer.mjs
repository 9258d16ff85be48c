// A handler with Powertools for AWS Lambda: each record of a batch by itself, and once unless DUPLICATES is
// `handled`. AT_ONCE says whether all records of a batch are handled at the same time.

import http from 'node:http';

import { BatchProcessor, EventType, processPartialResponse } from '@aws-lambda-powertools/batch';
import { IdempotencyConfig, makeIdempotent } from '@aws-lambda-powertools/idempotency';
import { DynamoDBPersistenceLayer } from '@aws-lambda-powertools/idempotency/dynamodb';

const processor = new BatchProcessor(EventType.SQS);

async function handle(record) {
  const { payload } = JSON.parse(record.body);
  console.log(JSON.stringify({ level: 'INFO', message: 'handled', bytes: payload.text.length }));
}

const config = new IdempotencyConfig({ eventKeyJmesPath: 'messageId' });
const once = () => {
  const tableName = process.env.IDEMPOTENCY_TABLE;
  const persistenceStore = new DynamoDBPersistenceLayer({ tableName });
  return makeIdempotent(handle, { persistenceStore, config });
};
const handler = process.env.DUPLICATES === 'handled' ? handle : once();
const processInParallel = process.env.AT_ONCE === 'true';

const agent = new http.Agent({ keepAlive: true });
const api = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation`;

function request(method, path, body) {
  return new Promise((resolve, reject) => {
    const sent = http.request(`${api}/${path}`, { method, agent }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => resolve([response.headers, Buffer.concat(chunks).toString()]));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

for (;;) {
  const [headers, body] = await request('GET', 'next');
  const awsRequestId = headers['lambda-runtime-aws-request-id'];
  const deadline = Number(headers['lambda-runtime-deadline-ms']);
  const context = { awsRequestId, getRemainingTimeInMillis: () => deadline - Date.now() };
  config.registerLambdaContext(context);
  const options = { context, processInParallel };
  const answer = await processPartialResponse(JSON.parse(body), handler, processor, options);
  await request('POST', `${awsRequestId}/response`, JSON.stringify(answer));
}
