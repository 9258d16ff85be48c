// Measures how long handlers take for a batch of ten, with writes that take some milliseconds.

import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';

const [program, batches = '200', milliseconds = '5'] = process.argv.slice(2);
if (!program) {
  console.error('Name the handler: node measure.mjs ../../../target/release/app-scripted');
  process.exit(2);
}
const EVENTS = 10;
const measured = Number(batches);
const warmUp = Math.ceil(measured / 2);

let writes = 0;
const service = await listening((request, response) => {
  if (request.headers['x-amz-target']?.startsWith('DynamoDB')) writes += 1;
  setTimeout(() => {
    response.setHeader('content-type', 'application/x-amz-json-1.0');
    response.end('{}');
  }, Number(milliseconds));
});

function listening(answer) {
  const server = http.createServer((request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => answer(request, response, Buffer.concat(chunks).toString()));
  });
  server.keepAliveTimeout = 60_000;
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

const at = (server) => `127.0.0.1:${server.address().port}`;

function record() {
  const id = randomUUID();
  const body = {
    version: 1,
    id,
    event: 'jira:issue_updated',
    product: 'jira',
    tenant: 'tenant',
    receivedAt: new Date().toISOString(),
    webhook: { identifier: id },
    reading: 'read',
    payload: { do: 'succeed', text: 'x'.repeat(1800) },
  };
  return {
    messageId: id,
    receiptHandle: 'receipt',
    body: JSON.stringify(body),
    attributes: {
      ApproximateReceiveCount: '1',
      SentTimestamp: String(Date.now()),
      MessageGroupId: 'tenant',
    },
    messageAttributes: {},
    eventSource: 'aws:sqs',
    eventSourceARN: 'arn:aws:sqs:us-east-1:000000000000:queue',
    awsRegion: 'us-east-1',
  };
}

// The CPU time of a process in milliseconds; the kernel counts in hundredths of a second.
function cpu({ pid }) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return 10 * (Number(fields[11]) + Number(fields[12]));
}

async function measure(command, parameters, variables) {
  const durations = [];
  let passed = 0;
  let begun;
  let usedBefore;
  let child;
  let done;
  const result = new Promise((resolve, reject) => {
    done = { resolve, reject };
  });
  const api = await listening((request, response, body) => {
    if (request.url.endsWith('/next')) {
      if (passed === warmUp) {
        writes = 0;
        usedBefore = cpu(child);
      }
      if (passed === warmUp + measured) {
        done.resolve(cpu(child) - usedBefore);
        return;
      }
      passed += 1;
      response.setHeader('content-type', 'application/json');
      response.setHeader('lambda-runtime-aws-request-id', randomUUID());
      response.setHeader('lambda-runtime-deadline-ms', String(Date.now() + 30_000));
      const function_ = 'arn:aws:lambda:us-east-1:000000000000:function:handler';
      response.setHeader('lambda-runtime-invoked-function-arn', function_);
      const batch = JSON.stringify({ Records: Array.from({ length: EVENTS }, record) });
      begun = performance.now();
      response.end(batch);
      return;
    }
    if (passed > warmUp) durations.push(performance.now() - begun);
    const handled = request.url.endsWith('/response');
    if (!handled || JSON.parse(body).batchItemFailures?.length) done.reject(new Error(body));
    response.statusCode = 202;
    response.end('{}');
  });
  child = spawn(command, parameters, {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      AWS_LAMBDA_RUNTIME_API: at(api),
      AWS_LAMBDA_FUNCTION_NAME: 'handler',
      AWS_LAMBDA_FUNCTION_VERSION: '1',
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '256',
      AWS_LAMBDA_LOG_GROUP_NAME: 'group',
      AWS_LAMBDA_LOG_STREAM_NAME: 'stream',
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: 'id',
      AWS_SECRET_ACCESS_KEY: 'key',
      AWS_ENDPOINT_URL: `http://${at(service)}`,
      IDEMPOTENCY_TABLE: 'idempotency',
      QUEUE_URL: `http://${at(service)}/000000000000/queue`,
      DEAD_LETTER_QUEUE_URL: `http://${at(service)}/000000000000/dead`,
      MAX_ATTEMPTS: '5',
      MAX_RECEIVES: '100',
      RETRY_DELAY: '30',
      ...variables,
    },
  });
  child.on('error', done.reject);
  child.on('exit', (code) => done.reject(new Error(`${command} ended with ${code}`)));
  try {
    const used = await result;
    durations.sort((one, other) => one - other);
    const median = durations[Math.floor(durations.length / 2)];
    return { median, writes: writes / measured, cpu: used / measured };
  } finally {
    child.kill('SIGKILL');
    api.closeAllConnections();
    api.close();
  }
}

const peer = new URL('peer.mjs', import.meta.url).pathname;
const rows = [];
for (const mode of ['run', 'claim_once', 'deduplicate', 'every_time']) {
  for (const concurrency of [1, EVENTS]) {
    const HANDLER_MODE = `${mode === 'run' ? '' : mode} ${concurrency}`;
    rows.push([`${mode}, ${concurrency} at once`, program, [], { HANDLER_MODE }]);
  }
}
for (const AT_ONCE of ['false', 'true']) {
  const name = `Powertools, ${AT_ONCE === 'true' ? EVENTS : 1} at once`;
  rows.push([name, process.execPath, [peer], { AT_ONCE }]);
  rows.push([`${name}, no table`, process.execPath, [peer], { AT_ONCE, DUPLICATES: 'handled' }]);
}
for (const [name, command, parameters, variables] of rows) {
  const { median, writes, cpu } = await measure(command, parameters, variables);
  const figures = [`${median.toFixed(1)} ms`, `${writes} writes`, `${cpu.toFixed(2)} ms CPU`];
  console.log([name.padEnd(36), ...figures.map((figure) => figure.padStart(12))].join(' '));
}
process.exit(0);
