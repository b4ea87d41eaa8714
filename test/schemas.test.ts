import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';

import { schemaFiles } from '../schemas/files.ts';
import { filesBelow, ROOT, textOf } from './support/tree.ts';

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

/** Files that name a schema, with its address. */
const named = filesBelow('.', '.json').flatMap((path) => {
  if (path.startsWith('schemas/')) return [];
  const [, $schema] = /^\{\s*"\$schema": "(\.[^"]+\.schema\.json)"/.exec(textOf(path)) ?? [];
  return $schema === undefined ? [] : [[path, $schema] as const];
});
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

  it.each(named)('%s fits the schema it names, which lies where it says', (path, $schema) => {
    const schema = resolve(ROOT, dirname(path), $schema);

    expect(schemaFiles.map((file) => file.path)).toContain(schema);
    expect(faults(basename(schema), JSON.parse(textOf(path)))).toEqual([]);
  });

  it('are named by every file of the repository they are for', () => {
    expect(named.map(([path]) => path)).toEqual(
      [...compositions.map((name) => `compositions/${name}`), 'scheduler.json'].sort(),
    );
  });

  it('are schemas', () => {
    for (const { name, text } of schemaFiles)
      expect([name, ajv.validateSchema(JSON.parse(text) as object)]).toEqual([name, true]);
  });

  it('take every file of the documents, as far as it is whole', () => {
    const blocks = filesBelow('docs', '.md').flatMap((path) =>
      [...textOf(path).matchAll(/^```json\n([\s\S]*?)^```$/gm)].map(
        ([, text = '']) => [path, JSON.parse(text) as object] as const,
      ),
    );
    const files = blocks.filter(([, value]) => 'jobs' in value);

    expect(files.length).toBeGreaterThan(0);
    for (const [path, value] of files)
      expect([path, faults('scheduler.schema.json', value)]).toEqual([path, []]);
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
