// Puts n signed stages into a stage store, one by one, and prints each id once it is there: node stage-putter.ts FILE NAME N
import { readStageSpec } from '@caloron/noether/records';

import { openStageStore } from '../stage-store-open.ts';

// Where files may not grow, the signal of it would end the process: a full disk sends none.
process.on('SIGXFSZ', () => undefined);
const [file = '', name = '', count = '0'] = process.argv.slice(2);
const store = openStageStore({ file });
for (let i = 0; i < Number(count); i += 1) {
  const { record } = readStageSpec(
    {
      name: `${name}_${i}`,
      input: 'Text',
      output: 'Text',
      implementation: `def execute(value):\n    return value  # ${name} ${i}\n`,
      examples: [{ input: 'a', output: 'a' }],
    },
    name,
  );
  const put = await store.put({ ...record, lifecycle: 'Active' });
  process.stdout.write(`${put.record.id}\n`);
}
