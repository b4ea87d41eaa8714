import { recordOf, type StageRecord } from '@caloron/noether';
import { describe, expect, it } from 'vitest';

import { stageOfArchive } from './archive-code.ts';
import { archived, type ArchivedOptions } from '../testing/archived-stage.ts';

const UP = '../'.repeat(4);

const attack = async (options: ArchivedOptions, changes: Partial<StageRecord> = {}): Promise<unknown> =>
  stageOfArchive({ ...archived(options), ...changes });

describe('the code of an archive', () => {
  it('is the stage its record speaks of, loaded without a file', async () => {
    const record = archived({ name: 'arch_shout', text: 'value.toUpperCase()' });

    const stage = await stageOfArchive(record);

    expect(stage.run('a', {})).toBe('A');
    expect(recordOf({ stage, archive: record.archive ?? {} }).id).toBe(record.id);
  });

  it('may import its own files and what a stage of this program may', async () => {
    const record = archived({
      name: 'arch_import',
      imports: "import { parse } from 'yaml';\nimport { mark } from './lib/mark.ts';\n",
      text: '`${value}${mark}${String(parse("1"))}`',
      files: { 'own/lib/mark.ts': "export const mark: string = '!';\n" },
    });

    expect((await stageOfArchive(record)).run('a', {})).toBe('a!1');
  });

  it.each([
    ['no_node', 'a module of Node', "import { readFileSync } from 'node:fs';\n"],
    [
      'no_store',
      'a package of this program that stages do not have',
      "import { openStore } from '@caloron/store';\n",
    ],
    ['no_path', 'a file beside the program by its path', "import x from '/etc/passwd';\n"],
    ['no_address', 'an address', "import x from 'https://example.com/x.js';\n"],
    ['no_text', 'a module made of text', "import x from 'data:text/javascript,export default 1';\n"],
    ['no_file', 'a file that is not in the archive', "import { y } from './other.ts';\n"],
    ['no_outside', 'a file outside the archive', `import { y } from '${UP}etc/other.ts';\n`],
    ['no_other', 'another archive', "import { y } from 'archive://0000/x.ts';\n"],
  ])('%s: that imports %s is refused before any of it runs', async (name, _what, imports) => {
    const ran = `${name}_ran`;
    const files = { 'own/first.ts': `Reflect.set(globalThis, '${ran}', true);\nexport const first = 1;\n` };

    await expect(attack({ name, imports: `import './first.ts';\n${imports}`, files })).rejects.toMatchObject({
      code: 'STAGE_CODE_REFUSED',
    });
    expect(Reflect.has(globalThis, ran)).toBe(false);
  });

  it('that imports while it runs is held to the same', async () => {
    const stage = await stageOfArchive(
      archived({
        name: 'arch_late',
        effects: ['NonDeterministic'],
        text: "import('node:fs').then(() => 'in')",
      }),
    );

    await expect(stage.run('a', {})).rejects.toThrow(/imports "node:fs"/);
  });

  it('with another text than was hashed is refused', async () => {
    const record = archived({ name: 'arch_swapped' });
    const [path = ''] = Object.keys(record.archive ?? {});

    await expect(
      stageOfArchive({ ...record, archive: { [path]: `${record.archive?.[path] ?? ''}\n// more` } }),
    ).rejects.toThrow(/has the hash .* and the record says/);
  });

  it.each([
    ['effects', { effects: { effects: [{ effect: 'Network' }] } }],
    ['input', { input: { kind: 'Number' } }],
    ['output', { output: { kind: 'Any' } }],
  ])('whose stage has another %s than its record says is refused', async (part, changes) => {
    const record = archived({ name: `arch_other_${part}` });

    await expect(
      stageOfArchive({ ...record, id: '0'.repeat(64), signature: { ...record.signature, ...changes } }),
    ).rejects.toThrow(new RegExp(`with another ${part}`));
  });

  it('whose stage asks for more than its record says is refused', async () => {
    const options = { name: 'arch_asks', effects: ['Network'], capabilities: ['http'] } as const;

    await expect(attack(options, { capabilities: [] })).rejects.toThrow(
      /asks for http, and the record says none/,
    );
  });

  it('whose stage has another name is refused', async () => {
    await expect(attack({ name: 'arch_named' }, { name: 'arch_unnamed' })).rejects.toThrow(
      /exports a stage of that name; there is arch_named/,
    );
  });

  it.each([
    ['../x.ts'],
    ['/etc/x.ts'],
    ['a/../x.ts'],
    ['a/./x.ts'],
    ['a//x.ts'],
    ['C:\\x.ts'],
    ['a\\..\\x.ts'],
    ['.git/x.ts'],
    ['x.sh'],
    ['x.node'],
    ['a b.ts'],
    ['%2e%2e/x.ts'],
    ['x.ts?y.ts'],
    ['__proto__'],
    [`${'x'.repeat(300)}.ts`],
  ])('with the path %s is refused', async (path) => {
    const archive = Object.fromEntries([[path, '']]);

    await expect(attack({ name: 'arch_path' }, { archive })).rejects.toThrow(/its archive has a file/);
  });

  it('with paths that clash is refused', async () => {
    const files = (...paths: readonly string[]) => ({
      archive: Object.fromEntries(paths.map((path) => [path, ''])),
    });

    await expect(attack({ name: 'arch_clash' }, files('a.ts', 'A.ts'))).rejects.toThrow(/differ in case/);
    await expect(attack({ name: 'arch_clash' }, files('a.ts/b.ts', 'a.ts'))).rejects.toThrow(/as a folder/);
  });

  it('of 50 MB, of too many files, or of none is refused without a look at what it says', async () => {
    const big = { 'own/big.ts': 'x'.repeat(50 * 1024 * 1024) };
    const many = Object.fromEntries(Array.from({ length: 501 }, (_, i) => [`f${i}.ts`, '']));

    await expect(attack({ name: 'arch_big' }, { archive: big })).rejects.toThrow(/characters, more than/);
    await expect(attack({ name: 'arch_many' }, { archive: many })).rejects.toThrow(/501 files/);
    await expect(attack({ name: 'arch_none' }, { archive: {} })).rejects.toThrow(/is empty/);
  });

  it('that is never loaded to its end is given up on and refused', async () => {
    const forever = archived({ name: 'arch_forever', imports: 'await new Promise(() => undefined);\n' });
    const thenable = archived({ name: 'arch_then', imports: 'export const then = () => undefined;\n' });

    for (const record of [forever, thenable])
      await expect(stageOfArchive(record, 200)).rejects.toMatchObject({
        code: 'STAGE_CODE_REFUSED',
        message: expect.stringMatching(/cannot be loaded: it awaits something.* 200 ms/) as string,
      });
  });

  it('that throws, or is no code at all, is refused with what it said', async () => {
    await expect(attack({ name: 'arch_throws', imports: "throw new Error('no way');\n" })).rejects.toThrow(
      /cannot be loaded: no way/,
    );
    await expect(attack({ name: 'arch_syntax', imports: 'const = ;\n' })).rejects.toMatchObject({
      code: 'STAGE_CODE_REFUSED',
    });
  });
});
