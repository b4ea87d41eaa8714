import { readFileSync } from 'node:fs';

import { expect, it } from 'vitest';

import { catalog } from './index.ts';
import { listing } from './listing.ts';

it('lists every stage under its own name', () => {
  expect(listing.map(({ name }) => name)).toEqual(catalog.map(({ stage }) => stage.name));
});

it('loads each stage from the file it names', () => {
  const text = readFileSync(new URL('listing.ts', import.meta.url), 'utf8');
  const imported = [...text.matchAll(/import\('\.\/([^']+)'\)/g)].map(([, file]) => file);

  expect(imported).toEqual(listing.map(({ file }) => file));
});
