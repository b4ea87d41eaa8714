import { readFileSync } from 'node:fs';

import { expect, it } from 'vitest';

import { catalog } from './index.ts';
import { listing } from './listing.ts';

it('lists every stage under its own name, in the order of names', () => {
  const names = listing.map(({ name }) => name);

  expect(names).toEqual(catalog.map(({ stage }) => stage.name));
  expect(names).toEqual(names.toSorted());
});

it('loads each stage from the file it names', () => {
  const rows = ['pure.ts', 'effectful.ts'].flatMap((file) => [
    ...readFileSync(new URL(file, import.meta.url), 'utf8').matchAll(
      /'([^']+)',\s+async \(\) =>\s+\(?await import\('\.\/([^']+)'\)/g,
    ),
  ]);

  expect(rows.length).toBe(listing.length);
  expect(rows.filter(([, named, imported]) => named !== imported)).toEqual([]);
});
