import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';

import { environment, must, temporaryDirectory, writeText } from '../support/bins.ts';
import { ROOT } from '../support/tree.ts';

/** Libraries no command loads that does not need them. */
const HEAVY =
  'fastify @octokit @anthropic-ai openai pino execa croner proper-lockfile ajv csv-parse csv-stringify yaml re2js write-file-atomic'.split(
    ' ',
  );
/** Libraries for what people look at. */
const SHOWING = ['cli-table3', 'string-width', 'cli-truncate'];

/** Those of some libraries that are among loaded modules. */
function among(loaded: readonly string[], libraries: readonly string[]): readonly string[] {
  return libraries.filter((library) => loaded.some((url) => url.includes(`/node_modules/${library}/`)));
}

describe('a command', () => {
  let dir: string;
  beforeEach(() => {
    dir = temporaryDirectory();
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  /** Addresses of the modules a command loads. */
  async function loadedBy(args: readonly string[]): Promise<readonly string[]> {
    const trace = join(dir, 'modules.json');
    await must('noether', [...args, '--home', dir], {
      cwd: dir,
      env: environment({ MODULE_TRACE: trace }),
      node: ['--import', join(ROOT, 'test/support/module-trace.mjs')],
    });
    return z.array(z.string()).parse(JSON.parse(readFileSync(trace, 'utf8')));
  }

  function graph(id: string): string {
    const path = join(dir, `${id}.json`);
    writeText(
      path,
      JSON.stringify({ description: 'one stage', version: '0.1.0', root: { op: 'Stage', id } }),
    );
    return path;
  }

  it.each([
    ['clock_now', '{}', /stages\/sprint\/now\.ts$/],
    ['text_upper', '"a"', /stdlib\/src\/text\/case\.ts$/],
  ])('that runs %s loads no other stage, and no library the stage does not need', async (id, input, file) => {
    const loaded = await loadedBy(['run', graph(id), '--input', input]);

    expect(among(loaded, ['zod'])).toEqual(['zod']);
    expect(among(loaded, [...HEAVY, ...SHOWING])).toEqual([]);
    expect(loaded.filter((url) => /\/zod\/v4\/locales\/(?!en\.)/.test(url))).toEqual([]);
    const stages = loaded.filter((url) => /\/(?:stages|stdlib\/src)\/(?:\w+)\/[\w-]+\.ts$/.test(url));
    expect(stages.filter((url) => !file.test(url))).toEqual([]);
    expect(stages.some((url) => file.test(url))).toBe(true);
  });

  it('that checks a graph opens no database, and no library a stage would need', async () => {
    const loaded = await loadedBy(['check', graph('clock_now')]);

    expect(among(loaded, HEAVY)).toEqual([]);
    expect(existsSync(join(dir, '.caloron'))).toBe(false);
  });
});
