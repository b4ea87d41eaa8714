import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

import { loadCatalog } from '@caloron/scheduler';
import { openStageStore } from '@caloron/store';

// Writes every stage's record, signed and sealed, to the stage store and prints name → id, as `noether stage sync` does.
const { values } = parseArgs({ options: { store: { type: 'string', default: '.noether/store.json' } } });
const { entries } = loadCatalog();
const file = resolve(values.store);
await openStageStore({ file }).seed(entries.map(({ record }) => record));
for (const { record } of entries) process.stdout.write(`${record.name} → ${record.id}\n`);
process.stdout.write(`wrote ${file}\n`);
