import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { git } from '@caloron/capabilities/git';
import type { Id } from '@caloron/types';

import { confined } from './confined.ts';
import { initBare } from './clean-repository.ts';
import type { Mirror } from './mirror.ts';
import { assertOwnRefs, clearStaleLocks, refsBelow, setRefsBelow } from './refs.ts';

/** A push of the agent's own goes nowhere: the harness delivers, with a token the agent never sees. */
const NO_PUSH = 'caloron-delivers-the-branch-when-the-agent-ends';

/**
 * The bare clone of one task, made or brought up to date from the mirror: it borrows the mirror's objects, so only refs are
 * set and nothing of the agent's configuration runs. `origin/*` is what the forge had at the last fetch.
 */
export async function ensureTaskClone(options: {
  readonly root: string;
  readonly clone: string;
  readonly mirror: Mirror;
  /** Who commits where the agent's own CLI sets no identity. */
  readonly agent_id: Id;
}): Promise<void> {
  const { root, clone, mirror, agent_id } = options;
  confined(root, clone);
  if (!existsSync(join(clone, 'caloron-clone'))) await createClone(clone, mirror, agent_id);
  assertOwnRefs(clone);
  await clearStaleLocks(clone);
  await setRefsBelow(clone, 'refs/remotes/origin/', mirror.heads);
  await keepOwnTags(clone, mirror.tags);
  await setRefsBelow(clone, 'refs/tags/', mirror.tags);
}

/** A tag may be all that leads to commits of the agent's: one the forge does not have goes to a place of its own. */
async function keepOwnTags(clone: string, forge: ReadonlyMap<string, string>): Promise<void> {
  const present = await refsBelow(clone, 'refs/tags/');
  const own = [...present].filter(([name, sha]) => forge.get(name) !== sha);
  if (own.length === 0) return;
  const lines = own.map(([name, sha]) => `update refs/caloron/tags/${sha}/${name} ${sha}\n`);
  await git(['update-ref', '--no-deref', '--stdin'], { git_dir: clone, stdin: lines.join('') });
}

/** Begins what is ours in a new clone's configuration. */
const OURS = '# by caloron';

/** Writes settings as git would, in one go: a process of git's for each is a tenth of what a start costs. */
function writeSettings(file: string, settings: Readonly<Record<string, string>>): void {
  const [before = ''] = readFileSync(file, 'utf8').split(OURS);
  const lines = Object.entries(settings).map(([key, value]) => {
    const [section = '', ...rest] = key.split('.');
    const name = rest.pop() ?? '';
    const of = rest.length === 0 ? '' : ` "${rest.join('.')}"`;
    return `[${section}${of}]\n\t${name} = "${value.replaceAll(/["\\]/g, '\\$&')}"\n`;
  });
  writeFileSync(file, `${before}${OURS}\n${lines.join('')}`);
}

async function createClone(clone: string, mirror: Mirror, agent_id: Id): Promise<void> {
  await initBare(clone);
  mkdirSync(join(clone, 'objects', 'info'), { recursive: true });
  writeFileSync(join(clone, 'objects', 'info', 'alternates'), `${join(mirror.dir, 'objects')}\n`);
  const settings = {
    'remote.origin.url': mirror.dir,
    'remote.origin.pushurl': NO_PUSH,
    'remote.origin.fetch': '+refs/heads/*:refs/remotes/origin/*',
    'user.name': `caloron-agent-${agent_id}`,
    'user.email': `${agent_id}@agents.caloron.invalid`,
    // What is saved of unfinished work must outlive any gc of the agent's.
    'gc.auto': '0',
  };
  writeSettings(join(clone, 'config'), settings);
  // Written last: a clone without it was interrupted and is completed at the next use.
  writeFileSync(join(clone, 'caloron-clone'), '1\n');
}
