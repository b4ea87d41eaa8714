import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { execa } from 'execa';

import { createCleanGit } from '../../packages/shell/src/git/clean-repository.ts';
import { ownWorktree } from '../../packages/shell/src/git/own-worktree.ts';
import { saveWip } from '../../packages/shell/src/git/wip.ts';
import { temporaryHome } from '../support/home.ts';
import { agentsWorld } from './agents-world.ts';
import type { Row } from './table.ts';

const AGENTS = 50;
const RESTARTS = 5;
const FILES = 10_000;
const SNAPSHOTS = 3;

async function timed(what: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await what();
  return performance.now() - started;
}

/** From the start of a shell's process until `/status` answers with all 50 agents of the killed one before it, alive. */
export async function benchAdoption(): Promise<readonly Row[]> {
  const world = await agentsWorld({ files: 100, tasks: AGENTS });
  try {
    for (let n = 0; n < AGENTS; n += 1) await world.spawn(n);
    await delay(1000);
    const empty: number[] = [];
    const adoptions: number[] = [];
    for (let run = 0; run < RESTARTS; run += 1) {
      const other = await agentsWorld({ files: 1, tasks: 1 });
      empty.push(await timed(() => other.restart()));
      await other.close();
      adoptions.push(
        await timed(async () => {
          await world.restart();
          const { agents } = (await world.status()) as { agents: readonly { alive: boolean }[] };
          const alive = agents.filter((agent) => agent.alive).length;
          if (alive !== AGENTS) throw new Error(`${alive} of ${AGENTS} agents were adopted`);
        }),
      );
    }
    return [
      { what: 'killed shell to the next one serving, no agent', unit: 'ms', values: empty },
      { what: `the same, ${AGENTS} agents adopted and in the status`, unit: 'ms', values: adoptions },
    ];
  } finally {
    await world.close();
  }
}

interface DirtyTree {
  readonly dir: string;
  readonly base: string;
  readonly git: (...args: readonly string[]) => Promise<unknown>;
}

/** 10,000 files of which half are changed, a tenth staged, and as many again that git does not know. */
async function dirtyTree(dir: string): Promise<DirtyTree> {
  const base = join(dir, 'base.git');
  const tree = join(dir, 'tree');
  const git = (...args: readonly string[]) => execa('git', ['-C', tree, ...args]);
  const write = (n: number, text: string): void => {
    const folder = join(tree, `part-${n % 100}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `file-${n}.txt`), `${text} ${n}\n${'a line of text\n'.repeat(n % 40)}`);
  };
  await execa('git', ['init', '--quiet', '--bare', '--initial-branch=main', base]);
  const named = ['-c', 'user.name=bench', '-c', 'user.email=bench@example.invalid'];
  const empty = await execa('git', [
    '-C',
    base,
    ...named,
    'commit-tree',
    '-m',
    'none',
    await emptyTree(base),
  ]);
  await execa('git', ['-C', base, 'update-ref', 'refs/heads/main', empty.stdout]);
  await execa('git', ['-C', base, 'worktree', 'add', '--quiet', '-b', 'work', tree, 'main']);
  for (let n = 0; n < FILES / 2; n += 1) write(n, 'committed');
  await git('add', '--all');
  await git(...named, 'commit', '--quiet', '--message', 'files');
  return { dir: tree, base, git };
}

async function emptyTree(base: string): Promise<string> {
  return (await execa('git', ['-C', base, 'mktree'], { input: '' })).stdout;
}

/** Makes every file dirty in another way than before, so that no object of it is there already. */
function dirty({ dir }: DirtyTree, run: string): void {
  for (let n = 0; n < FILES; n += 1)
    writeFileSync(
      join(dir, `part-${n % 100}`, `file-${n}.txt`),
      `${run} ${n}\n${'a line of text\n'.repeat(n % 40)}`,
    );
}

/** A snapshot of a tree in which 10,000 files are dirty (half changed, half new), and what git itself takes for the same, by turns. */
export async function benchSnapshot(): Promise<readonly Row[]> {
  const { dir, remove } = temporaryHome();
  try {
    const tree = await dirtyTree(dir);
    const clean = createCleanGit(join(dir, 'clean.git'));
    const own = ownWorktree(dir, tree.base, tree.dir);
    if (own === undefined) throw new Error('there is no worktree');
    const where = { sprint_id: 'bench', task_id: 'task', clone: tree.base, own, reason: 'measured' };
    const index = join(own.git_dir, 'index');
    const bare = join(dir, 'index-by-hand');
    const ours: number[] = [];
    const written: number[] = [];
    const stashed: number[] = [];
    const again: number[] = [];
    for (let run = 0; run < SNAPSHOTS; run += 1) {
      dirty(tree, `ours ${run}`);
      ours.push(await timed(() => saveWip(clean, where)));
      again.push(await timed(() => saveWip(clean, where)));
      dirty(tree, `by hand ${run}`);
      await execa('cp', ['--preserve', index, bare]);
      const env = { GIT_INDEX_FILE: bare };
      written.push(
        await timed(async () => {
          await execa('git', ['-C', tree.dir, 'add', '--all'], { env });
          await execa('git', ['-C', tree.dir, 'write-tree'], { env });
        }),
      );
      rmSync(bare);
      dirty(tree, `stash ${run}`);
      await tree.git('add', '--intent-to-add', '--all');
      await tree.git('reset', '--quiet');
      stashed.push(
        await timed(() => tree.git('-c', 'user.name=b', '-c', 'user.email=b@b.invalid', 'stash', 'create')),
      );
    }
    const what = `${FILES.toLocaleString('en')} dirty files`;
    return [
      { what: `${what}: git add --all and git write-tree`, unit: 'ms', values: written },
      { what: `git stash create of the changed half alone`, unit: 'ms', values: stashed },
      { what: `${what}: snapshot`, unit: 'ms', values: ours },
      { what: 'the same again, nothing changed since', unit: 'ms', values: again },
    ];
  } finally {
    remove();
  }
}
