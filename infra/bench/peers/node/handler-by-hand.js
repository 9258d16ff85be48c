// A handler as one would write it without a framework: reads each record, and says which of them failed.

import { run } from './runtime.js';

await run((event) => {
  const batchItemFailures = [];
  for (const { messageId, body } of event.Records) {
    try {
      const { payload } = JSON.parse(body);
      const event = typeof payload === 'string' ? JSON.parse(payload) : payload;
      console.log(JSON.stringify({ level: 'INFO', message: 'issue created', key: event.issue.key }));
    } catch {
      batchItemFailures.push({ itemIdentifier: messageId });
    }
  }
  return { batchItemFailures };
});
