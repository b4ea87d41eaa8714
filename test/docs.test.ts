import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { catalog } from '@caloron/stages';
import { CredentialRequest, Heartbeat, ProjectConfig, Report, UNASKED } from '@caloron/types';
import { describe, expect, it } from 'vitest';

import { frameworks } from '../packages/harness/src/frameworks/table.ts';
import { filesBelow, ROOT, textOf } from './support/tree.ts';

const CODE = /^ {2}([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+): /gm;

/** Codes a room's errors.ts declares. */
const declared = ['packages', 'stages'].flatMap((folder) =>
  filesBelow(folder, 'errors.ts').flatMap((path) =>
    [...textOf(path).matchAll(CODE)].map(([, code = '']) => code),
  ),
);

/** Variables the sources read by name. */
const read = ['packages'].flatMap((folder) =>
  filesBelow(folder, '.ts')
    .filter((path) => !path.endsWith('.test.ts'))
    .flatMap((path) =>
      [...textOf(path).matchAll(/(?:env|variables)\[?\.?\[?['"]?((?:CALORON|NOETHER)_[A-Z_]+)/g)].map(
        ([, name = '']) => name,
      ),
    ),
);

/** The cells of a document's table whose heading cells begin so, a list per row. */
function rowsOf(path: string, head: string): readonly (readonly string[])[] {
  const lines = textOf(path).split('\n');
  const begin = lines.findIndex((line) => line.replaceAll(/\s+/g, ' ').startsWith(head));
  const end = lines.findIndex((line, at) => at > begin && !line.startsWith('|'));
  return lines.slice(begin + 2, end).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

const words = (cell = ''): readonly string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, word = '']) => word);

describe('the documents', () => {
  it('list every stage of the catalogue with its file and effects, in its order', () => {
    const section = textOf('README.md').split('<!-- stages -->')[1]?.split('<!-- /stages -->')[0] ?? '';
    const rows = [...section.matchAll(/^\| `([a-z_]+)`\s*\| `([^`]+)`\s*\| ([^|]+?)\s*\|/gm)].map(
      ([, name, file, effects]) => `${name} ${file} ${effects?.trim()}`,
    );
    const words = (effects: readonly unknown[]): string =>
      effects
        .map((effect) => (typeof effect === 'string' ? effect : (effect as { effect: string }).effect))
        .join(', ');

    expect(rows).toEqual(
      catalog.map(({ stage, file }) => `${stage.name} stages/${file} ${words(stage.effects)}`),
    );
  });

  it('explain every error code, and no code that does not exist', () => {
    const explained = [...textOf('docs/errors.md').matchAll(/^\| `([A-Z0-9_]+)`\s*\|/gm)].map(
      ([, code = '']) => code,
    );

    expect(declared.length).toBeGreaterThan(0);
    expect([...new Set(explained)].sort()).toEqual([...new Set(declared)].sort());
  });

  it('say what every field of caloron.json is, and no field that does not exist', () => {
    const fields = [...textOf('docs/configuration.md').matchAll(/^\| `([a-z_]+)`\s*\|/gm)].map(
      ([, name = '']) => name,
    );

    expect(fields).toEqual(Object.keys(ProjectConfig.shape).filter((name) => name !== '$schema'));
  });

  it('A5 say what each framework’s program may do unasked, as ./caloron doctor does', () => {
    const rows = rowsOf('SECURITY.md', '| framework | unasked');

    expect(rows).toEqual(
      Object.entries(UNASKED).map(([name, { by_default, dangerous }]) => [
        `\`${name}\``,
        by_default,
        dangerous ?? 'the same',
      ]),
    );
    expect(rows.map(([name]) => name).sort()).toEqual(frameworks.map(({ name }) => `\`${name}\``).sort());
  });

  it('A11 say of each call an agent may make what goes in, what it changes, what a repetition does, and how it fails', () => {
    const routes = [...textOf('packages/shell/src/routes/agent.ts').matchAll(/app\.post\('(\/[a-z]+)'/g)];
    const shapes = { '/heartbeat': Heartbeat, '/report': Report, '/credential': CredentialRequest };
    const rows = rowsOf('SECURITY.md', '| call | what goes in');

    expect(rows.map(([call]) => call)).toEqual(routes.map(([, path]) => `\`POST ${path}\``));
    expect(rows.map(([, fields]) => words(fields))).toEqual(
      Object.values(shapes).map(({ shape }) => Object.keys(shape)),
    );
    for (const row of rows) {
      expect(row.filter((cell) => cell !== '')).toHaveLength(5);
      expect(words(row[4]).filter((code) => !declared.includes(code))).toEqual([]);
    }
  });

  it('O12 say of every part whether it is trusted and what it holds', () => {
    const rows = rowsOf('SECURITY.md', '| Part | Trusted | What it holds');

    expect(rows.map(([, trusted]) => trusted)).toEqual(['yes', 'yes', 'no', 'no']);
    for (const row of rows) expect(row.filter((cell) => cell !== '')).toHaveLength(3);
    const all = rows.map(([part]) => part).join(' ');
    for (const part of ['scheduler', 'shell', 'caloron', 'harness', 'program', 'repository', 'issues'])
      expect(all).toContain(part);
  });

  it('name every variable in .env.example', () => {
    const named = [...textOf('.env.example').matchAll(/^([A-Z_]+)=/gm)].map(([, name = '']) => name);

    expect([...new Set(read)].filter((name) => !named.includes(name))).toEqual([]);
    expect(read).toContain('CALORON_DB');
  });

  it('link only to files that exist', () => {
    const broken = ['README.md', 'CONTRIBUTING.md', ...filesBelow('docs', '.md')].flatMap((path) =>
      [...textOf(path).matchAll(/\]\((?!https?:)([^)#]+)/g)]
        .map(([, link = '']) => join(ROOT, path, '..', link))
        .filter((target) => !existsSync(target)),
    );

    expect(broken).toEqual([]);
  });
});
