import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openRepo } from '@caloron/capabilities/github';
import type { ForgeRepo } from '@caloron/types';
import { appRepo, testForge, type Clone, type TestForge } from './test-kit.ts';

// What only this forge can show; test/contract tells the rest for every host.
describe('Caloron’s own client on the local forge', () => {
  let forge: TestForge;
  let clone: Clone;
  let alice: ForgeRepo;
  beforeAll(async () => {
    forge = await testForge();
    ({ clone } = await appRepo(forge));
    alice = openRepo({ repo: 'alice/app', host: forge.url, token: forge.tokens.alice });
  });
  afterAll(async () => forge.stop());

  it('counts the bytes of each language', async () => {
    expect(await alice.languages()).toEqual({ TypeScript: 11 });
  });

  it('compares commits and branches, also where a tag has a branch’s name', async () => {
    const first = await clone.git('rev-parse', 'origin/main');
    await clone.git('checkout', '--quiet', '-B', 'release/v1.0', 'origin/main');
    const side = await clone.commit({ 's.txt': 's' });
    await clone.push('release/v1.0');
    await clone.git('checkout', '--quiet', '-B', 'other', 'origin/main');
    const head = await clone.commit({ 'o.txt': 'o' });
    await clone.git('tag', 'release/v1.0', head);
    await clone.push('other', 'refs/tags/release/v1.0');

    expect(await alice.compare('release/v1.0', 'other')).toEqual({
      ahead: 1,
      behind: 1,
      base_sha: side,
      merge_base: first,
    });
    expect(await alice.compare(first, head)).toMatchObject({ ahead: 1, behind: 0, merge_base: first });
    expect(await alice.compare(head, first)).toMatchObject({ ahead: 0, behind: 1 });
    await expect(alice.compare('c'.repeat(40), head)).rejects.toMatchObject({ code: 'FORGE_NOT_FOUND' });
    await expect(alice.compare('no-branch', head)).rejects.toMatchObject({ code: 'FORGE_NOT_FOUND' });
  });
});
