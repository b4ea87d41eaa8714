import { Octokit } from '@octokit/rest';
import { Sha } from '@caloron/types';
import { createEmulator } from 'emulate';

import type { CaseName } from './cases.ts';
import { clients, type ContractHost } from './host.ts';
import { openWire } from './wire.ts';

const TOKENS = { alice: 'tok_alice', bob: 'tok_bob', mallory: 'tok_mallory' };
const REPO = { owner: 'alice', repo: 'app' };

const ANYBODY = 'whoever has any token may do everything with a public repository';
const NO_STATUSES = 'GET commits/:ref/status is 404';

/** As seen in version 0.12.2; GitHub does each of these. */
const LACKS: ContractHost['lacks'] = {
  'read: knows no unknown token': 'a token it was not given counts as the first user’s',
  'read: gives a pull request by its number as an issue': 'GET issues/:number of a pull request is 404',
  'write: lets a stranger comment, and change nothing': ANYBODY,
  'poll: tells a pull request among the issues too': 'GET issues lists issues alone',
  'poll: tells a pull request, its new head and its closing':
    'a commit on the branch leaves head.sha as it was',
  'poll: tells the comments of the whole repository with their issue': 'GET issues/comments is 404',
  'poll: is three times 304 when nothing is new': 'it sends no ETag and never answers 304',
  'pull: of a branch that has one already is refused': '201 and a second pull request',
  'pull: of a branch that is not there is refused': '201 and a pull request of nothing',
  'pull: that conflicts is not mergeable, and one that does not is': 'mergeable is true always',
  'review: of one’s own pull request is a comment at most': 'it takes a verdict from the author',
  'checks: of a commit without any are none': NO_STATUSES,
  'checks: follow what the CI says': NO_STATUSES,
  'merge: of a conflict is refused and changes nothing': 'it merges and overwrites',
  'merge: closes the issue its body names': 'closing keywords do nothing',
  'merge: by a stranger is refused': ANYBODY,
};

/** One of each kind, and one that it lacks. */
const SAMPLE: readonly CaseName[] = [
  'read: lists the newest commits, no more than asked for',
  'write: opens an issue with its labels',
  'poll: tells an issue, a change of it and its closing',
  'review: carries verdict, reviewer and commit',
  'merge: by a squash',
  'merge: closes the issue its body names',
];

/** Emulates api.github.com from nothing of ours: a second opinion on the parts it has. */
export const emulatedGitHub: ContractHost = {
  name: 'emulate 0.12.2',
  lacks: LACKS,
  brief: (name) => SAMPLE.includes(name),
  async start() {
    const logins = Object.keys(TOKENS);
    const emulator = await createEmulator({
      service: 'github',
      port: 0,
      seed: {
        tokens: Object.fromEntries(
          Object.entries(TOKENS).map(([login, token]) => [token, { login, scopes: ['repo'] }]),
        ),
        github: {
          users: logins.map((login) => ({ login })),
          repos: [{ owner: 'alice', name: 'app', auto_init: true }],
        },
      },
    });
    const api = new Octokit({ baseUrl: emulator.url, auth: TOKENS.alice });
    const wire = await openWire(emulator.url);
    const put = (branch: string, path: string, text: string, sha?: string) =>
      api.repos.createOrUpdateFileContents({
        ...REPO,
        path,
        branch,
        message: `change ${path}`,
        content: Buffer.from(text).toString('base64'),
        ...(sha === undefined ? {} : { sha }),
      });
    await put('main', 'a.txt', 'one\ntwo\nthree\n');
    const known = new Set(['main']);
    return {
      wire,
      merge_verb: 'PUT',
      conflict_code: 'FORGE_NOT_MERGEABLE',
      ...clients(wire, TOKENS),
      async commit(branch, files) {
        if (!known.has(branch)) {
          const { data } = await api.git.getRef({ ...REPO, ref: 'heads/main' });
          await api.git.createRef({ ...REPO, ref: `refs/heads/${branch}`, sha: data.object.sha });
          known.add(branch);
        }
        for (const [path, text] of Object.entries(files)) {
          const before = await api.repos.getContent({ ...REPO, path, ref: branch }).catch(() => undefined);
          const found = before?.data;
          const sha = found !== undefined && !Array.isArray(found) ? found.sha : undefined;
          await put(branch, path, text, sha);
        }
        const { data } = await api.git.getRef({ ...REPO, ref: `heads/${branch}` });
        return Sha.parse(data.object.sha);
      },
      async fill(count) {
        for (let made = 0; made < count; made += 1)
          await api.issues.create({ ...REPO, title: 'one of many' });
      },
      async setStatus(sha, state) {
        const done = state !== 'pending';
        await api.checks.create({
          ...REPO,
          name: 'ci',
          head_sha: sha,
          status: done ? 'completed' : 'in_progress',
          ...(done ? { conclusion: state } : {}),
        });
      },
      async close() {
        await wire.close();
        await emulator.close();
      },
    };
  },
};
