// A handler with Powertools for AWS Lambda: each record of a batch by itself and, unless DUPLICATES says that
// they are handled, once. AT_ONCE is `false` if records are handled one after another.

import { BatchProcessor, EventType, processPartialResponse } from '@aws-lambda-powertools/batch';
import { IdempotencyConfig, makeIdempotent } from '@aws-lambda-powertools/idempotency';
import { DynamoDBPersistenceLayer } from '@aws-lambda-powertools/idempotency/dynamodb';

import { run } from './runtime.js';

const processor = new BatchProcessor(EventType.SQS);
const processInParallel = process.env.AT_ONCE !== 'false';

async function handle(record) {
  const { payload } = JSON.parse(record.body);
  const event = typeof payload === 'string' ? JSON.parse(payload) : payload;
  console.log(JSON.stringify({ level: 'INFO', message: 'issue created', key: event.issue.key }));
}

let handler = handle;
const config = new IdempotencyConfig({ eventKeyJmesPath: 'messageId' });
if (process.env.DUPLICATES !== 'handled') {
  const persistenceStore = new DynamoDBPersistenceLayer({ tableName: process.env.IDEMPOTENCY_TABLE });
  handler = makeIdempotent(handle, { persistenceStore, config });
}

await run((event, context) => {
  config.registerLambdaContext(context);
  return processPartialResponse(event, handler, processor, { context, processInParallel });
});
