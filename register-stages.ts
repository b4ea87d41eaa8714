import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

import { loadCatalog } from '@caloron/scheduler';
import { writeStageStore } from '@caloron/store';

// Writes every stage's record to the stage store and prints name → id.
const { values } = parseArgs({ options: { store: { type: 'string', default: '.noether/store.json' } } });
const { entries } = loadCatalog();
const path = resolve(values.store);
await writeStageStore(
  path,
  entries.map(({ record }) => record),
);
for (const { record } of entries) process.stdout.write(`${record.name} → ${record.id}\n`);
process.stdout.write(`wrote ${path}\n`);
