// A receiver with atlassian-connect-express, behind API Gateway by serverless-express. It reads the tenant's
// settings for every webhook, which is what the framework does.

import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import serverlessExpress from '@codegenie/serverless-express';
import connect from 'atlassian-connect-express';
import express from 'express';

import { run } from './runtime.js';

const sqs = new SQSClient();
const quiet = () => {};
const logger = { debug: quiet, info: quiet, log: quiet, warn: quiet, error: console.error };
const app = express();
const store = { adapter: 'dynamodb', region: process.env.AWS_REGION };
const addon = connect(app, { config: { production: { appKey: process.env.APP_KEY, store } } }, logger);
app.use(express.json({ limit: '10mb' }));
app.use(addon.middleware());
app.post('/issue-created', addon.authenticate(), async (request, response) => {
  const { clientKey } = request.context;
  const { webhookEvent } = request.body;
  const { MessageId } = await sqs.send(new SendMessageCommand({
    QueueUrl: process.env.QUEUE_URL,
    MessageBody: JSON.stringify({ clientKey, payload: request.body }),
    MessageGroupId: clientKey,
    MessageAttributes: {
      event: { DataType: 'String', StringValue: webhookEvent },
      tenant: { DataType: 'String', StringValue: clientKey },
    },
  }));
  console.log(JSON.stringify({ level: 'INFO', message: 'queued', webhookEvent, clientKey, MessageId }));
  response.sendStatus(204);
});

await run(serverlessExpress({ app }));
