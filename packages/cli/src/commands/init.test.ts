import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { readConfig, readProjectConfig } from '@caloron/scheduler';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { caloronProgram } from '../caloron.ts';
import { runProgram } from '../program.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'caloron-init-'));
});
afterEach(() => {
  process.exitCode = 0;
  rmSync(dir, { recursive: true, force: true });
});

describe('caloron init', () => {
  it('names in both files the schema that holds for them, by the address of a file that is there', async () => {
    let text = '';
    const io = { out: (more: string) => void (text += more), err: (more: string) => void (text += more) };
    const argv = ['init', '--home', dir, '--repo', 'acme/site', '--verify', 'npm test', '--output', 'json'];
    await runProgram(await caloronProgram(io, argv), argv, io);

    expect(process.exitCode ?? 0, text).toBe(0);
    for (const name of ['scheduler.json', 'caloron.json']) {
      const written = JSON.parse(readFileSync(join(dir, name), 'utf8')) as { readonly $schema: string };
      expect(Object.keys(written)[0]).toBe('$schema');
      const schema = JSON.parse(readFileSync(fileURLToPath(written.$schema), 'utf8')) as object;
      const check = new Ajv2020({ strict: false, validateFormats: false }).compile(schema);
      expect([name, check(written), check.errors]).toEqual([name, true, null]);
    }
    expect(readConfig(join(dir, 'scheduler.json'), dir).jobs).toHaveLength(2);
    expect(readProjectConfig(join(dir, 'caloron.json'))).toMatchObject({ verify: [['npm', 'test']] });
    const answer = JSON.parse(text) as { readonly data: { readonly config: object } };
    expect(answer.data.config).not.toHaveProperty('$schema');
  });
});
