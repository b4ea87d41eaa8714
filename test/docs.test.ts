import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { catalog } from '@caloron/stages';
import { ProjectConfig } from '@caloron/types';
import { describe, expect, it } from 'vitest';

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
