import { resolve } from 'node:path';

import { type KeptWork, type KeptWorks, openKeptWork, type Restored } from '@caloron/shell/kept-work';
import { ActiveSprint, keys, shellWord } from '@caloron/types';
import { Command } from 'commander';

import { type Context, idOf, runCommand } from '../context.ts';
import { CliError } from '../errors.ts';
import { type Answer, counted, type Io } from '../output.ts';
import { renderTable } from '../table.ts';
import { oneLine } from '../width.ts';

const HEAD = ['sprint', 'task', 'n', 'saved', 'what'] as const;
const FILES = ['change', 'lines', 'file'] as const;

/** `caloron wip`: unfinished work of agents that was saved before anything could be lost. */
export function wipCommand(io: Io): Command {
  return new Command('wip')
    .description('unfinished work of agents that was saved')
    .addCommand(listCommand(io))
    .addCommand(showCommand(io))
    .addCommand(restoreCommand(io));
}

interface Choice {
  readonly sprint?: string;
  readonly task?: string;
}

function listCommand(io: Io): Command {
  const command = new Command('list')
    .description('all that was saved')
    .option('--sprint <id>', 'of one sprint only')
    .option('--task <id>', 'of one task only')
    .action((options: Choice) =>
      runCommand(command, io, async (context) => {
        const found = await kept(context).list({
          sprint_id: options.sprint === undefined ? undefined : idOf('--sprint', options.sprint),
          task_id: options.task === undefined ? undefined : idOf('--task', options.task),
        });
        const rows = found.map(({ sprint_id, task_id, n, kept_at, subject }) => [
          sprint_id,
          task_id,
          String(n),
          kept_at,
          said(subject),
        ]);
        const last = found.at(-1);
        const next = last === undefined ? '' : `\n\nnext: ./caloron wip show ${wordsOf(context, last)}`;
        const text = rows.length === 0 ? 'no unfinished work was saved' : `${renderTable(HEAD, rows)}${next}`;
        return { data: found.map(factsOf), text, table: { head: HEAD, rows } };
      }),
    );
  return command;
}

function showCommand(io: Io): Command {
  const command = new Command('show')
    .description('the files of saved work')
    .argument('<task>', 'id of the task, or a whole ref')
    .argument('[n]', 'which one (default: the newest)')
    .option('--sprint <id>', 'the sprint (default: the one that has any of that task)')
    .option('--diff', 'the changes themselves, as a patch')
    .action((task: string, n: string | undefined, options: Choice & { readonly diff?: boolean }) =>
      runCommand(command, io, async (context) => {
        const works = kept(context);
        const work = await find(context, works, task, n, options.sprint);
        if (options.diff === true) {
          const patch = await works.patch(work);
          // On a terminal what an agent wrote may not move the cursor; elsewhere the patch is exact.
          const shown = io.terminal === undefined ? patch : patch.split('\n').map(oneLine).join('\n');
          return { data: { ...factsOf(work), patch }, text: shown };
        }
        return showAnswer(context, works, work);
      }),
    );
  return command;
}

async function showAnswer(context: Context, works: KeptWorks, work: KeptWork): Promise<Answer> {
  const { base, files } = await works.changes(work);
  const rows = files.map(({ path, change, added, removed }) => [
    change,
    added === null || removed === null ? 'binary' : `+${added} -${removed}`,
    path,
  ]);
  const staged = work.staged === null ? '' : '; what was staged differs and is kept beside it';
  const text = [
    oneLine(`${work.sprint_id}/${work.task_id} ${work.n}: ${said(work.subject)}, ${work.kept_at}`),
    `  ${work.ref}, on ${base === null ? 'no commit' : base.slice(0, 12)}: ${counted(files.length, 'file')}${staged}`,
    '',
    ...(rows.length === 0 ? ['no file differs'] : [renderTable(FILES, rows)]),
    '',
    ...work.inside.map((each) => oneLine(insideLine(each))),
    `next: ./caloron wip restore ${wordsOf(context, work)} --into DIR`,
  ];
  return {
    data: { ...factsOf(work), base_sha: base, files, inside: work.inside },
    text: text.join('\n'),
    table: { head: FILES, rows },
  };
}

/** What of a repository inside is kept, and what is not. */
function insideLine({ path, head, refs, stashes, missing }: KeptWork['inside'][number]): string {
  const names = refs.map(({ name }) => name.replace(/^refs\/(?:heads\/)?/, '')).join(', ');
  const had = [
    ...(names === '' ? [`the commit ${head?.slice(0, 12) ?? 'none'}`] : [names]),
    ...(stashes.length === 0 ? [] : [counted(stashes.length, 'stashed change')]),
  ].join(' and ');
  return missing === null
    ? `repository inside, ${path}: kept with ${had}; without its remotes and what was staged in it`
    : `repository inside, ${path}: only its files are kept, no commits (${had}): ${missing}`;
}

interface Target extends Choice {
  readonly into?: string;
  readonly branch?: string;
}

function restoreCommand(io: Io): Command {
  const command = new Command('restore')
    .description('put saved work back; nothing uncommitted is ever overwritten')
    .argument('<task>', 'id of the task, or a whole ref')
    .argument('[n]', 'which one (default: the newest)')
    .option('--sprint <id>', 'the sprint (default: the one that has any of that task)')
    .option('--into <dir>', "a directory, new or a clean repository (default: the task's own worktree)")
    .option('--branch <name>', 'a new branch of the repository of the working directory')
    .action((task: string, n: string | undefined, options: Target) =>
      runCommand(command, io, async (context) => {
        if (options.into !== undefined && options.branch !== undefined)
          throw new CliError('CLI_USAGE', { problem: '--into and --branch: one of them' });
        const works = kept(context);
        const work = await find(context, works, task, n, options.sprint);
        const done = await restore(context, works, work, options);
        const name = `${work.sprint_id}/${work.task_id} ${work.n}`;
        return {
          data: { ...factsOf(work), ...done },
          text: `${name} is restored: ${whatNow(work, done, options)}`,
        };
      }),
    );
  return command;
}

async function restore(
  context: Context,
  works: KeptWorks,
  work: KeptWork,
  { into, branch }: Target,
): Promise<Restored> {
  if (branch !== undefined) return works.restoreBranch(work, context.cwd, branch);
  if (into !== undefined) return works.restoreInto(work, resolve(context.cwd, into));
  const { processes } = context.runtime().store;
  const { sprint_id, task_id } = work;
  return works.restoreWorktree(work, () => {
    const busy = processes.open().find((row) => row.sprint_id === sprint_id && row.task_id === task_id);
    if (busy === undefined) return processes.latest(sprint_id, task_id, 'author')?.worktree;
    const problem = `${busy.agent_id} may be working on ${task_id} (process ${busy.process_id.slice(0, 8)})`;
    const hint = `./caloron stop ${busy.agent_id}${context.home_flag}, or name another place: --into DIR`;
    throw new CliError('CLI_USAGE', { problem }, { hint });
  });
}

function whatNow(
  { head, commit, inside: work_inside }: KeptWork,
  done: Restored,
  { branch }: Target,
): string {
  if (branch !== undefined) {
    const files = work_inside.length === 0 ? '' : '; of repositories inside it has the files alone';
    return `branch ${branch} of ${done.dir} has it as a commit; nothing was checked out${files}\n  next: git log -p -1 ${shellWord(branch)}`;
  }
  const plain = head === commit;
  const what = plain ? 'its commits are checked out' : 'its files are there, uncommitted as they were';
  const on = done.branch === null ? '' : `, on branch ${done.branch}`;
  const look = plain ? 'log --oneline' : 'status';
  const inside = done.inside.map((path) => `\n  ${oneLine(path)} is a repository again`).join('');
  return `in ${done.dir} ${what}${on}${inside}\n  next: git -C ${shellWord(done.dir)} ${look}`;
}

function kept(context: Context): KeptWorks {
  // A directory without a home has no saved work either, and says so like every other command.
  context.runtime();
  return openKeptWork(context.home.dir);
}

/** The saved work that was named. Throws CLI_NOT_FOUND, CLI_USAGE. */
async function find(
  context: Context,
  works: KeptWorks,
  task: string,
  n: string | undefined,
  sprint: string | undefined,
): Promise<KeptWork> {
  const named = /^refs\/caloron\/wip\/([^/]+)\/([^/]+)\/(\d+)$/.exec(task);
  const [task_id, number, sprint_id] =
    named === null ? [idOf('task', task), n, sprint] : [named[2] ?? '', named[3], named[1]];
  if (number !== undefined && !/^[1-9]\d{0,8}$/.test(number)) {
    const problem = `n ${JSON.stringify(number)}: expected a whole number from 1`;
    throw new CliError('CLI_USAGE', { problem }, { hint: './caloron wip list shows the numbers' });
  }
  const asked = sprint_id === undefined ? undefined : idOf('--sprint', sprint_id);
  const found = await works.list({ task_id, sprint_id: asked });
  const sprints = [...new Set(found.map((work) => work.sprint_id))];
  const chosen = sprints.length > 1 ? await activeOf(context, task_id, sprints) : sprints[0];
  const of_task = found.filter((work) => work.sprint_id === chosen);
  const work = number === undefined ? of_task.at(-1) : of_task.find((each) => String(each.n) === number);
  if (work !== undefined) return work;
  const id = `${asked === undefined ? '' : `${asked}/`}${task_id}${number === undefined ? '' : ` ${number}`}`;
  const hint = `./caloron wip list${context.home_flag}`;
  throw new CliError('CLI_NOT_FOUND', { what: 'saved work of task', id }, { hint });
}

/** The active sprint, where several have saved work of a task of that name. Throws CLI_USAGE. */
async function activeOf(context: Context, task: string, sprints: readonly string[]): Promise<string> {
  const value = (await context.runtime().store.kv.get(keys.activeSprint))?.value;
  const active = ActiveSprint.safeParse(value).data?.sprint_id;
  if (active !== undefined && sprints.includes(active)) return active;
  const problem = `several sprints have saved work of ${task}: ${sprints.join(', ')}`;
  throw new CliError('CLI_USAGE', { problem }, { hint: '--sprint ID names one' });
}

/** What another command of this one needs to find the same work. */
function wordsOf({ home_flag }: Context, { sprint_id, task_id, n }: KeptWork): string {
  return `${task_id} ${n} --sprint ${sprint_id}${home_flag}`;
}

/** The first line of a commit without the program's name before it. */
function said(subject: string): string {
  return subject.replace(/^caloron: /, '');
}

function factsOf({ ref, sprint_id, task_id, n, commit, head, kept_at, subject }: KeptWork): object {
  return { ref, sprint_id, task_id, n, commit, head_sha: head, kept_at, what: said(subject) };
}
