import { writeFileSync } from 'node:fs';

import { schemaFiles } from './files.ts';

// Writes the JSON Schemas that editors read; `pnpm schemas` runs it.
for (const { path, text } of schemaFiles) {
  writeFileSync(path, text);
  process.stdout.write(`wrote ${path}\n`);
}
