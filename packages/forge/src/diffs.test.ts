import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { appRepo, openPull, testForge, type TestForge } from './test-kit.ts';

const at = { owner: 'alice', repo: 'app' } as const;

/** Over what is given as one text, a little. */
const LINES = 110_000;

describe('a diff of more than ten megabytes', () => {
  let forge: TestForge;
  let pull_number: number;
  beforeAll(async () => {
    forge = await testForge();
    const { clone } = await appRepo(forge);
    const files = { 'a.txt': 'one\nTWO\nthree\n', 'big.txt': `${'x'.repeat(99)}\n`.repeat(LINES) };
    pull_number = (await openPull(forge, clone, { branch: 'big', files })).number;
  });
  afterAll(async () => forge.stop());

  it.each(['diff', 'patch'])('is refused as one %s with 406, as GitHub does', async (kind) => {
    const answer = await forge.fetch(`/repos/alice/app/pulls/${pull_number}`, {
      headers: { accept: `application/vnd.github.v3.${kind}` },
    });

    expect(answer.status).toBe(406);
    expect(await answer.json()).toMatchObject({
      message: expect.stringContaining('exceeded') as unknown,
      errors: [{ resource: 'PullRequest', field: kind, code: 'too_large' }],
    });
  });

  it('is listed by file, with the patches that are short enough', async () => {
    const { data } = await forge.as('bob').pulls.listFiles({ ...at, pull_number });

    expect(data.map(({ filename, additions, patch }) => [filename, additions, patch !== undefined])).toEqual([
      ['a.txt', 1, true],
      ['big.txt', LINES, false],
    ]);
  });

  it('is counted, and can be merged', async () => {
    const { data } = await forge.as('bob').pulls.get({ ...at, pull_number });

    expect(data).toMatchObject({ additions: LINES + 1, changed_files: 2, mergeable: true });
  });

  it('is shown on its page as far as a person reads', async () => {
    const text = await (await forge.fetch(`/ui/alice/app/pulls/${pull_number}`)).text();

    expect(text).toContain('+TWO');
    expect(text).toContain('[cut]');
    expect(text.length).toBeLessThan(1_000_000);
  });
});
