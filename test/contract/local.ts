import { addUser } from '@caloron/forge';
import { Sha } from '@caloron/types';
import { execa } from 'execa';

import { appRepo, testForge } from '../../packages/forge/src/test-kit.ts';
import { BRANCHES, filesOf } from './case.ts';
import type { CaseName } from './cases.ts';
import { clients, type ContractHost } from './host.ts';
import { openWire } from './wire.ts';

/** A branch, the commit it goes on from, and what is put on it. */
interface Work {
  readonly branch: string;
  readonly from: string;
  readonly files: Readonly<Record<string, string>>;
}

/** Makes a commit for each piece of work, in one process; gives them. */
async function importCommits(cwd: string, works: readonly Work[]): Promise<readonly Sha[]> {
  const data = (text: string) => `data ${String(Buffer.byteLength(text))}\n${text}\n`;
  const commits = works.map(({ branch, from, files }, at) =>
    [
      `commit refs/made/${branch}\nmark :${String(at + 1)}\n`,
      `committer alice <alice@example.com> now\n${data(`work on ${branch}`)}from ${from}\n`,
      ...Object.entries(files).map(([path, text]) => `M 100644 inline ${path}\n${data(text)}`),
      `get-mark :${String(at + 1)}\n`,
    ].join(''),
  );
  const input = ['feature done\n', ...commits, 'done\n'].join('');
  const options = ['--quiet', '--force', '--date-format=now'];
  const { stdout } = await execa('git', ['fast-import', ...options], { cwd, input });
  return stdout
    .trim()
    .split('\n')
    .map((sha) => Sha.parse(sha));
}

/** What starts git most often, and what the tests of the forge itself hold too. */
const LONG: readonly CaseName[] = [
  'read: counts how far two branches have parted',
  'read: knows the common ancestor of two branches',
  'poll: is complete over all pages',
  'poll: tells a pull request among the issues too',
  'poll: tells the comments of the whole repository with their issue',
  'pull: is found by its branch',
  'pull: that conflicts is not mergeable, and one that does not is',
  'pull: has its body changed, is closed and opened again',
  'pull: of a branch that has one already is refused',
  'review: that was asked for is none',
  'checks: of a commit without any are none',
  'checks: follow what the CI says',
  'merge: by a merge commit',
  'merge: by a rebase',
  'merge: of a head that moved is refused',
  'merge: twice merges once',
  'merge: closes the issue its body names',
  'merge: whose answer was lost is seen in the pull request',
  'merge: by a stranger is refused',
  'merge: of a closed pull request is refused',
];

/** The forge of this repository: everything the contract asks for. */
export const localForge: ContractHost = {
  name: 'the local forge',
  lacks: {},
  brief: (name) => !LONG.includes(name),
  async start() {
    const forge = await testForge();
    const { clone } = await appRepo(forge);
    const { token } = await addUser(forge.data, 'mallory');
    const wire = await openWire(forge.url);
    const main = 'refs/remotes/origin/main';
    const shas = await importCommits(
      clone.dir,
      BRANCHES.map((branch) => ({ branch, from: main, files: filesOf(branch) })),
    );
    await clone.push(...BRANCHES.map((branch, at) => `${shas[at] ?? ''}:refs/heads/${branch}`));
    const made = new Map(BRANCHES.map((branch, at) => [branch, shas[at]]));
    const known = new Set(['main', ...BRANCHES]);
    return {
      wire,
      merge_verb: 'PUT',
      conflict_code: 'FORGE_NOT_MERGEABLE',
      ...clients(wire, { ...forge.tokens, mallory: token }),
      async commit(branch, files) {
        const there = made.get(branch);
        made.delete(branch);
        if (there !== undefined) return there;
        // A branch begins at the main that was seen last: only main itself has to be the newest.
        if (branch === 'main') await clone.git('fetch', '--quiet', 'origin');
        const from = known.has(branch) ? `refs/remotes/origin/${branch}` : main;
        known.add(branch);
        const [sha] = await importCommits(clone.dir, [{ branch, from, files }]);
        if (sha === undefined) throw new Error(`no commit was made on ${branch}`);
        await clone.push(`${sha}:refs/heads/${branch}`);
        return sha;
      },
      async fill(count) {
        const create = () =>
          forge.as('alice').issues.create({ owner: 'alice', repo: 'app', title: 'one of many' });
        for (let made = 0; made < count; made += 1) await create();
      },
      async setStatus(sha, state) {
        await forge.as('bob').repos.createCommitStatus({ owner: 'alice', repo: 'app', sha, state });
      },
      async close() {
        await wire.close();
        await forge.stop();
      },
    };
  },
};
