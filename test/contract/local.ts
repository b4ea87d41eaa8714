import { addUser } from '@caloron/forge';
import { Sha } from '@caloron/types';
import { execa } from 'execa';

import { appRepo, testForge } from '../../packages/forge/src/test-kit.ts';
import { clients, type ContractHost } from './host.ts';
import { openWire } from './wire.ts';

/** Makes a commit with these files upon another one; gives it. */
async function importCommit(
  cwd: string,
  branch: string,
  from: string,
  files: Readonly<Record<string, string>>,
): Promise<string> {
  const data = (text: string) => `data ${String(Buffer.byteLength(text))}\n${text}\n`;
  const changes = Object.entries(files).map(([path, text]) => `M 100644 inline ${path}\n${data(text)}`);
  const input = [
    'feature done\n',
    `commit refs/made/${branch}\nmark :1\ncommitter alice <alice@example.com> now\n${data(`work on ${branch}`)}`,
    `from ${from}\n`,
    ...changes,
    'get-mark :1\ndone\n',
  ].join('');
  const { stdout } = await execa('git', ['fast-import', '--quiet', '--force', '--date-format=now'], {
    cwd,
    input,
  });
  return stdout.trim();
}

/** The forge of this repository: everything the contract asks for. */
export const localForge: ContractHost = {
  name: 'the local forge',
  lacks: {},
  async start() {
    const forge = await testForge();
    const { clone } = await appRepo(forge);
    const { token } = await addUser(forge.data, 'mallory');
    const wire = await openWire(forge.url);
    const known = new Set(['main']);
    return {
      wire,
      merge_verb: 'PUT',
      ...clients(wire, { ...forge.tokens, mallory: token }),
      async commit(branch, files) {
        // A branch begins at the main that was seen last: only main itself has to be the newest.
        if (branch === 'main') await clone.git('fetch', '--quiet', 'origin');
        const from = known.has(branch) ? branch : 'main';
        known.add(branch);
        const sha = Sha.parse(await importCommit(clone.dir, branch, `refs/remotes/origin/${from}`, files));
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
