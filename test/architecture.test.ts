import { dirname, join, normalize } from 'node:path';

import { describe, expect, it } from 'vitest';

import { IMPORTS } from '../packages/scheduler/src/registry/archive-modules.ts';
import { filesBelow, importsOf, textOf } from './support/tree.ts';

/** What each room may import beside its own files: exact names, or a prefix that ends in `*`. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  'packages/types': ['zod'],
  'packages/noether': ['zod', 'canonicalize', 'p-limit', 'node:crypto'],
  stages: ['@caloron/types', '@caloron/noether/stage', 'zod', 'yaml'],
  'packages/stdlib': [
    '@caloron/types',
    '@caloron/noether/stage',
    '@caloron/noether/records',
    'ajv',
    'ajv/dist/*',
    'ajv-formats',
    'csv-parse/sync',
    'csv-stringify/sync',
    're2js',
    'yaml',
    'zod',
  ],
  'packages/store': [
    '@caloron/types',
    '@caloron/noether',
    '@caloron/noether/*',
    'better-sqlite3',
    'proper-lockfile',
    'zod',
    'node:*',
  ],
  'packages/capabilities': [
    '@caloron/types',
    '@caloron/noether/errors',
    '@octokit/*',
    'pino',
    '@anthropic-ai/sdk',
    'openai',
    'execa',
    'zod',
    'node:*',
  ],
  'packages/forge': [
    '@caloron/types',
    '@caloron/types/version',
    '@caloron/noether/errors',
    '@caloron/store',
    '@caloron/capabilities/*',
    'fastify',
    'execa',
    'commander',
    'zod',
    'node:*',
  ],
  'packages/shell': [
    '@caloron/types',
    '@caloron/types/version',
    '@caloron/noether',
    '@caloron/noether/errors',
    '@caloron/store',
    '@caloron/capabilities/*',
    'fastify',
    'execa',
    'commander',
    'zod',
    'node:*',
  ],
  'packages/harness': [
    '@agentclientprotocol/sdk',
    '@caloron/types',
    '@caloron/types/version',
    '@caloron/noether/errors',
    '@caloron/capabilities/*',
    'execa',
    'p-retry',
    'yaml',
    'commander',
    'zod',
    'node:*',
  ],
  'packages/scheduler': [
    '@caloron/types',
    '@caloron/types/version',
    '@caloron/noether',
    '@caloron/noether/errors',
    '@caloron/noether/records',
    '@caloron/store',
    '@caloron/store/*',
    '@caloron/capabilities/*',
    '@caloron/stages',
    '@caloron/stages/listing',
    '@caloron/stdlib',
    '@caloron/stdlib/listing',
    '@octokit/webhooks',
    'fastify',
    'ipaddr.js',
    'croner',
    'jsonc-parser',
    'p-limit',
    'p-retry',
    'prom-client',
    'standardwebhooks',
    'commander',
    'zod',
    'node:*',
  ],
  'packages/cli': [
    '@caloron/types',
    '@caloron/types/version',
    '@caloron/noether',
    '@caloron/noether/errors',
    '@caloron/noether/records',
    '@caloron/store',
    '@caloron/store/*',
    '@caloron/scheduler',
    '@caloron/scheduler/*',
    '@caloron/shell/gc-without-shell',
    '@caloron/shell/kept-work',
    '@caloron/shell/stop-without-shell',
    '@caloron/capabilities/*',
    '@caloron/stages/agent-health',
    '@caloron/stages/provider-hold',
    'execa',
    'commander',
    'cli-table3',
    'cli-truncate',
    'string-width',
    'picocolors',
    'zod',
    'node:*',
  ],
};

/** Packages that open the world, and the only files that may import them. */
const DOORS: Readonly<Record<string, RegExp>> = {
  'better-sqlite3': /^packages\/store\//,
  '@octokit/rest': /^packages\/capabilities\/src\/github/,
  '@octokit/auth-app': /^packages\/capabilities\/src\/github/,
  '@octokit/webhooks': /^packages\/scheduler\/src\/inbound/,
  '@octokit/plugin-retry': /^packages\/capabilities\/src\/github/,
  '@octokit/plugin-throttling': /^packages\/capabilities\/src\/github/,
  pino: /^packages\/capabilities\/src\/logger\.ts$/,
  '@anthropic-ai/sdk': /^packages\/capabilities\/src\/llm/,
  openai: /^packages\/capabilities\/src\/llm/,
  croner: /^packages\/scheduler\/src\/cron\.ts$/,
  fastify: /^packages\/(shell|forge|scheduler)\//,
  execa: /^packages\/(shell|harness|forge|cli)\/|^packages\/capabilities\/src\/git/,
};

const LINES = 300;
const rooms = Object.keys(ALLOWED);
const isTest = (path: string): boolean =>
  /\.test(-d)?\.ts$/.test(path) || path.includes('/testing/') || path.endsWith('/test-kit.ts');
const sources = rooms.flatMap((room) =>
  filesBelow(room, '.ts').map((path) => ({
    room,
    path,
    text: textOf(path),
    imports: importsOf(textOf(path)),
  })),
);
const code = sources.filter(({ path }) => !isTest(path));

function allowed(name: string, list: readonly string[]): boolean {
  return list.some((entry) => (entry.endsWith('*') ? name.startsWith(entry.slice(0, -1)) : name === entry));
}

describe('the house', () => {
  it('has rooms to look at', () => {
    expect(new Set(code.map(({ room }) => room))).toEqual(new Set(rooms));
  });

  it.each(rooms)('%s imports only what its row of the table allows', (room) => {
    const wrong = code
      .filter((file) => file.room === room)
      .flatMap(({ path, imports }) =>
        imports
          .filter((name) => !name.startsWith('.') && !allowed(name, ALLOWED[room] ?? []))
          .map((name) => `${path}: ${name}`),
      );

    expect(wrong).toEqual([]);
  });

  it('gives stages from an archive what the stages here import, and no more than their rows allow', () => {
    const rows = [...(ALLOWED['stages'] ?? []), ...(ALLOWED['packages/stdlib'] ?? [])];
    const used = code
      .filter(({ room }) => room === 'stages' || room === 'packages/stdlib')
      .flatMap(({ imports }) => imports.filter((name) => !name.startsWith('.')));

    expect([...new Set(used)].filter((name) => !IMPORTS.has(name))).toEqual([]);
    expect([...IMPORTS.keys()].filter((name) => !allowed(name, rows))).toEqual([]);
  });

  it('opens each door in one place', () => {
    const wrong = code.flatMap(({ path, imports }) =>
      imports
        .filter((name) => DOORS[name] !== undefined && !DOORS[name]?.test(path))
        .map((name) => `${path}: ${name}`),
    );

    expect(wrong).toEqual([]);
  });

  it('keeps relative imports inside their room', () => {
    const wrong = sources.flatMap(({ room, path, imports }) =>
      imports
        .filter(
          (name) => name.startsWith('.') && !normalize(join(dirname(path), name)).startsWith(`${room}/`),
        )
        .map((name) => `${path}: ${name}`),
    );

    expect(wrong).toEqual([]);
  });

  it('never imports a main or a test', () => {
    const wrong = sources.flatMap(({ path, imports }) =>
      imports
        .filter(
          (name) => /\/main\.ts$|\.test\.ts$/.test(name) && !(isTest(path) && name.endsWith('/main.ts')),
        )
        .map((name) => `${path}: ${name}`),
    );

    expect(wrong).toEqual([]);
  });

  it(`has no source file over ${LINES} lines`, () => {
    // What tests stand on counts too; only a list of tests may be long.
    const long = sources
      .filter(({ path }) => !/\.test(-d)?\.ts$/.test(path))
      .filter(({ text }) => text.trimEnd().split('\n').length > LINES)
      .map(({ path }) => path);

    expect(long).toEqual([]);
  });

  it.each([
    [
      'the environment',
      /\bprocess\.env\b/,
      /\/(config|main|context)\.ts$|^packages\/cli\/src\/commands\/demo\.ts$/,
    ],
    ['the clock', /\bDate\.now\(|\bnew Date\(\)/, /^packages\/capabilities\/src\/clock\.ts$/],
    [
      'chance',
      /\bMath\.random\(|\brandomUUID\(|\brandomBytes\(/,
      /^packages\/capabilities\/src\/random\.ts$/,
    ],
    ['the console', /\bconsole\.\w+\(/, /^$/],
  ] as const)('reaches %s through one door', (_what, pattern, door) => {
    const wrong = code
      .filter(
        ({ path, text }) =>
          !door.test(path) && pattern.test(text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')),
      )
      .map(({ path }) => path);

    expect(wrong).toEqual([]);
  });

  it('has no default export and gives every export a docstring', () => {
    const wrong = code.flatMap(({ path, text }) => {
      const lines = text.split('\n');
      return lines.flatMap((line, index) => {
        if (line.startsWith('export default')) return [`${path}:${index + 1}: default export`];
        const declared = /^export (?:async )?(?:function|class|interface|const|type) (\w+)/.exec(line);
        if (declared === null) return [];
        const above = lines[index - 1] ?? '';
        const name = declared[1] ?? '';
        const paired =
          line.startsWith('export type') && new RegExp(`^export const ${name}\\b`, 'm').test(text);
        const derived = /^export type \w+ = (\(?typeof|\w+\[)/.test(line);
        return /\*\/\s*$/.test(above) || paired || derived ? [] : [`${path}:${index + 1}: ${name}`];
      });
    });

    expect(wrong).toEqual([]);
  });

  it('gives stages no globals of a host', () => {
    const { compilerOptions } = JSON.parse(textOf('stages/tsconfig.json')) as {
      compilerOptions: { types?: unknown; lib?: unknown };
    };

    expect(compilerOptions.types).toEqual([]);
    expect(compilerOptions.lib).toBeUndefined();
  });
});
