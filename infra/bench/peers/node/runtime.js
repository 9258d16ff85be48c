// A client of the Lambda Runtime API: asks for events one by one, and sends what the handler returns.

import http from 'node:http';

const [hostname, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(':');
const agent = new http.Agent({ keepAlive: true });

export async function run(handler) {
  for (;;) {
    const { headers, body } = await request('GET', 'invocation/next');
    const id = headers['lambda-runtime-aws-request-id'];
    const deadline = Number(headers['lambda-runtime-deadline-ms']);
    const context = { awsRequestId: id, getRemainingTimeInMillis: () => deadline - Date.now() };
    try {
      const answer = await handler(JSON.parse(body), context);
      await request('POST', `invocation/${id}/response`, JSON.stringify(answer));
    } catch (error) {
      const reported = { errorType: error.name, errorMessage: error.stack };
      await request('POST', `invocation/${id}/error`, JSON.stringify(reported));
    }
  }
}

function request(method, path, body) {
  return new Promise((resolve, reject) => {
    const options = { hostname, port, agent, method, path: `/2018-06-01/runtime/${path}` };
    const sent = http.request(options, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => {
        resolve({ headers: response.headers, body: Buffer.concat(chunks).toString() });
      });
      response.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
