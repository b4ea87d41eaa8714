// Counts a key up and appends a row, n times, as one of several processes: node writer.ts FILE NAME N
import { randomUUID } from 'node:crypto';

import { StoreError } from '../errors.ts';
import { openStore } from '../store.ts';
import { testClock } from './fixtures.ts';

const [file = '', name = '', count = '0'] = process.argv.slice(2);
const store = openStore(file, { clock: testClock(), uuid: randomUUID });

async function increment(): Promise<void> {
  for (;;) {
    const found = await store.kv.get('counter');
    const value = typeof found?.value === 'number' ? found.value : 0;
    try {
      await store.kv.put('counter', value + 1, { expect_rev: found?.rev ?? 0 });
      return;
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'STORE_CONFLICT') throw error;
    }
  }
}

process.stdout.write(`${store.db_id}\n`);
for (let i = 0; i < Number(count); i += 1) {
  await increment();
  await store.events.append([
    { event_id: `${name}:${i}`, kind: 'config.test', sprint_id: null, payload: { name, i } },
  ]);
}
store.close();
