import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';

import { schemaFiles } from '../schemas/files.ts';
import { ROOT, textOf } from './support/tree.ts';

const ajv = new Ajv2020({ strict: false, validateFormats: false });
const checks = new Map(
  schemaFiles.map(({ name, text }) => [name, ajv.compile(JSON.parse(text) as object)] as const),
);

/** Where a value does not fit a schema; empty when it does. */
function faults(name: string, value: unknown): readonly string[] {
  const check = checks.get(name);
  if (check === undefined) throw new Error(`no schema is called ${name}`);
  return check(value)
    ? []
    : (check.errors ?? []).map(({ instancePath, message }) => `${instancePath}: ${message}`);
}

const compositions = readdirSync(join(ROOT, 'compositions')).filter((name) => name.endsWith('.json'));
const examples = [...textOf('docs/compositions.md').matchAll(/^```json\n([\s\S]*?)^```$/gm)].map(
  ([, text = '']) => {
    const value = JSON.parse(text) as object;
    return 'op' in value ? { description: '', version: '0.1.0', root: value } : value;
  },
);

describe('the JSON Schemas', () => {
  it.each(schemaFiles.map(({ name, path, text }) => [name, path, text] as const))(
    '%s is what the programs read: pnpm schemas writes it',
    (_name, path, text) => {
      expect(existsSync(path) ? readFileSync(path, 'utf8') : 'nothing').toBe(text);
    },
  );

  it('take the scheduler.json of the repository, with and without an address of the schema', () => {
    const file = JSON.parse(textOf('scheduler.json')) as object;

    expect(faults('scheduler.schema.json', file)).toEqual([]);
    expect(faults('scheduler.schema.json', { $schema: './schemas/scheduler.schema.json', ...file })).toEqual(
      [],
    );
  });

  it.each(compositions)('take the composition %s', (name) => {
    expect(faults('composition.schema.json', JSON.parse(textOf(`compositions/${name}`)))).toEqual([]);
  });

  it('take every graph of docs/compositions.md', () => {
    expect(examples.length).toBeGreaterThan(3);
    for (const example of examples) expect(faults('composition.schema.json', example)).toEqual([]);
  });

  it.each([
    ['scheduler.schema.json', { jobs: [{ name: 'a', cron: '* * * * *', grph: 'a.json' }] }, 'graph'],
    ['scheduler.schema.json', { jobs: {} }, '/jobs'],
    ['caloron.schema.json', { repo: 'no-slash' }, '/repo'],
    ['caloron.schema.json', { framwork: 'stub' }, 'additional'],
    ['caloron.schema.json', { merge_method: 'fast' }, '/merge_method'],
    ['composition.schema.json', { description: 'a', version: '1', root: { op: 'Sequence' } }, '/root'],
    ['composition.schema.json', { description: 'a', version: '1' }, 'root'],
  ])('%s refuses %j and says where', (name, value, place) => {
    expect(faults(name, value).join('\n')).toContain(place);
  });

  it('name every default, so that an editor shows it', () => {
    const text = schemaFiles.find(({ name }) => name === 'caloron.schema.json')?.text ?? '';
    const { properties } = JSON.parse(text) as { properties: Record<string, { default?: unknown }> };

    expect(properties['required_approvals']?.default).toBe(1);
    expect(properties['framework']?.default).toBe('claude-code');
  });
});
