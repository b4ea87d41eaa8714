import { collectGarbage, PRESENT_MS } from '@caloron/capabilities/shell';
import { codeOf } from '@caloron/noether/errors';
import type { GcItem, GcReply } from '@caloron/types';
import { Command, InvalidArgumentError } from 'commander';

import { type Context, runCommand } from '../context.ts';
import { type Answer, counted, type Io } from '../output.ts';
import { renderTable } from '../table.ts';
import { oneLine } from '../width.ts';

const HEAD = ['what', 'class', 'task', 'size', 'action', 'why', 'where'] as const;

interface Collected extends GcReply {
  /** Whether it was done by this very process. */
  readonly without_shell: boolean;
}

interface Choice {
  readonly dryRun?: boolean;
  readonly keepDays?: number;
  readonly snapshotDirty?: boolean;
}

function days(text: string): number {
  if (/^\d{1,5}(\.\d+)?$/.test(text) && Number(text) <= 36_500) return Number(text);
  throw new InvalidArgumentError('expected a number of days');
}

/** `caloron gc`: what lies in a home, and what of it nobody needs any more. */
export function gcCommand(io: Io): Command {
  const command = new Command('gc')
    .description('remove worktrees, caches and logs nobody needs, and say what stays and why')
    .option('--dry-run', 'only say what it would remove')
    .option(
      '--keep-days <n>',
      'how long clean worktrees of ended tasks stay (default: 7); merged ones go at once',
      days,
    )
    .option(
      '--snapshot-dirty',
      'also remove worktrees of ended tasks that hold unfinished work, after it is saved',
    )
    .action((options: Choice) =>
      runCommand(command, io, async (context) =>
        answerOf(context, await collected(context, options), options),
      ),
    );
  return command;
}

/** How long nothing is said of what is waited for, in milliseconds. */
const SILENT_MS = 1000;

/** What to say once nothing was heard for a while; each wait takes the place of the one before. */
function waits(say: (text: string) => void): {
  readonly begin: (text: string) => void;
  readonly end: () => void;
} {
  let timer: NodeJS.Timeout | undefined;
  const end = (): void => clearTimeout(timer);
  const begin = (text: string): void => {
    end();
    timer = setTimeout(() => say(text), SILENT_MS);
  };
  return { begin, end };
}

/** Where a shell runs it does the work: it knows which worktree is about to be used. Else it is done here, and no shell starts meanwhile. */
async function collected(context: Context, options: Choice): Promise<Collected> {
  const { environment, home, runtime, io, command } = context;
  const { shell_url: url, shell_token: token } = environment;
  const request = {
    ...(options.dryRun === undefined ? {} : { dry_run: options.dryRun }),
    ...(options.keepDays === undefined ? {} : { keep_days: options.keepDays }),
    ...(options.snapshotDirty === undefined ? {} : { snapshot_dirty: options.snapshotDirty }),
  };
  const { store } = runtime();
  const { begin, end } = waits((text) => io.err(`${command}: ${text}\n`));
  try {
    begin(`waiting for the shell at ${url} to answer, at most ${PRESENT_MS / 1000} s`);
    const looking = () => begin('the shell looks through all that lies here; that may take minutes');
    const reply = await collectGarbage({ url, token, db_id: store.db_id }, request, looking);
    return { ...reply, without_shell: false };
  } catch (error) {
    // A shell that answers at this address for another home says nothing of this one's.
    const code = codeOf(error);
    if (code !== 'SHELL_UNREACHABLE' && code !== 'SHELL_OTHER_DATABASE') throw error;
    begin('no shell answers: looking through all that lies here, which may take minutes');
    const { collectAlone } = await import('@caloron/shell/gc-without-shell');
    const reply = await collectAlone(home.dir, store, environment.variables, request);
    return { ...reply, without_shell: true };
  } finally {
    end();
  }
}

function answerOf(
  { home_flag }: Context,
  { items, reclaimed_bytes, without_shell }: Collected,
  options: Choice,
): Answer {
  const rows = items.map(rowOf);
  const verb = options.dryRun === true ? 'would be' : 'were';
  const unfinished = items.filter(
    ({ class: kind, action }) => action === 'kept' && (kind === 'dirty' || kind === 'unpushed'),
  );
  const failed = items.some(({ action }) => action === 'failed');
  const text = [
    ...(rows.length === 0 ? ['nothing lies here'] : [renderTable(HEAD, rows)]),
    '',
    `${sizeOf(reclaimed_bytes)} ${verb} reclaimed${without_shell ? ' (no shell runs: done here)' : ''}`,
    ...(options.dryRun === true && reclaimed_bytes > 0 ? [`  next: ./caloron gc${home_flag}`] : []),
    ...(unfinished.length > 0
      ? [
          `${counted(unfinished.length, 'place')} with unfinished work ${unfinished.length === 1 ? 'stays' : 'stay'}; --snapshot-dirty saves it and removes what is over`,
        ]
      : []),
  ].join('\n');
  const data = { items, reclaimed_bytes, dry_run: options.dryRun === true, without_shell };
  return { data, text, table: { head: HEAD, rows }, ...(failed ? { exit_code: 3 } : {}) };
}

function rowOf(item: GcItem): readonly string[] {
  const { kind, sprint_id, task_id, bytes, action, reason, path } = item;
  const task = sprint_id === null ? '-' : `${sprint_id}/${task_id ?? '-'}`;
  return [kind, item.class, task, sizeOf(bytes), action.replace('_', ' '), oneLine(reason), oneLine(path)];
}

/** Bytes in the unit a person reads. */
function sizeOf(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const at = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** at;
  return `${at === 0 || value >= 10 ? Math.round(value) : value.toFixed(1)} ${units[at] ?? 'B'}`;
}
