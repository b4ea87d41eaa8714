import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { findHome } from './home.ts';

describe('the home', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'caloron-home-'));
    mkdirSync(join(dir, 'a', 'b'), { recursive: true });
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it('is the nearest directory above that holds .caloron/, else the working directory', () => {
    mkdirSync(join(dir, '.caloron'));

    expect(findHome({ cwd: join(dir, 'a', 'b') }).dir).toBe(dir);
    mkdirSync(join(dir, 'a', '.caloron'));
    expect(findHome({ cwd: join(dir, 'a', 'b') }).dir).toBe(join(dir, 'a'));
    rmSync(join(dir, '.caloron'), { recursive: true });
    expect(findHome({ cwd: dir }).dir).toBe(dir);
  });

  it('is the one a flag names, and then no variable moves its database', () => {
    const home = findHome({ flag: 'a', variables: { CALORON_DB: '/elsewhere.db' }, cwd: dir });

    expect(home).toMatchObject({ dir: join(dir, 'a'), db: join(dir, 'a', '.caloron', 'caloron.db') });
  });

  it('keeps its database where CALORON_DB says, or its old name; empty says nothing', () => {
    const db = (variables: Record<string, string>): string => findHome({ variables, cwd: dir }).db;

    expect(db({ CALORON_DB: 'x.db', NOETHER_KV_PATH: 'y.db' })).toBe(join(dir, 'x.db'));
    expect(db({ CALORON_DB: '', NOETHER_KV_PATH: 'y.db' })).toBe(join(dir, 'y.db'));
    expect(db({ CALORON_DB: '' })).toBe(join(dir, '.caloron', 'caloron.db'));
  });

  it('keeps its stage store where NOETHER_HOME says, unless a flag names the home', () => {
    const variables = { NOETHER_HOME: 'stages' };

    expect(findHome({ variables, cwd: dir }).stage_store).toBe(join(dir, 'stages', 'store.json'));
    expect(findHome({ variables, flag: 'a', cwd: dir }).stage_store).toBe(
      join(dir, 'a', '.noether', 'store.json'),
    );
    expect(findHome({ variables: { NOETHER_HOME: '' }, cwd: dir }).stage_store).toBe(
      join(dir, '.noether', 'store.json'),
    );
  });
});
