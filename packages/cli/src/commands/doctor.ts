import { join } from 'node:path';

import { systemClock } from '@caloron/capabilities/clock';
import { git } from '@caloron/capabilities/git';
import { isApp } from '@caloron/capabilities/github-app';
import { probeSandbox } from '@caloron/capabilities/sandbox';
import { createShells } from '@caloron/capabilities/shell';
import { checkedHost, misplaced, placeHint } from '@caloron/capabilities/token-hosts';
import { CodedError, codeOf, messageOf } from '@caloron/noether/errors';
import { loadCatalog, readConfig, readProjectConfig, verifyStageStore } from '@caloron/scheduler';
import { DELIVERED, INBOUND_PATH } from '@caloron/scheduler/inbound';
import { ActiveSprint, keys, ProjectConfig, unaskedOf } from '@caloron/types';
import { Command } from 'commander';

import { type Context, runCommand } from '../context.ts';
import { CliError } from '../errors.ts';
import { limitsOf, limitWords } from '../forge-limits.ts';
import type { Io } from '../output.ts';
import { driveOf, driveWords, dueAfter } from '../sprint-drive.ts';
import { spanWords } from '../time-words.ts';

interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
  /** What to do about it; null when nothing is to do or it is not known. */
  readonly next: string | null;
}

const PROJECT_CHECK = 'caloron.json';

async function checked(
  name: string,
  work: () => Promise<string> | string,
  next: string | null = null,
): Promise<Check> {
  try {
    return { name, ok: true, detail: await work(), next: null };
  } catch (error) {
    // One mistake in the file is told once, whoever reads it.
    if (codeOf(error) === 'PROJECT_CONFIG_INVALID' && name !== PROJECT_CHECK)
      return { name, ok: false, detail: `not known: ${PROJECT_CHECK} is wrong`, next: null };
    const hint = error instanceof CodedError ? error.hint : undefined;
    return { name, ok: false, detail: messageOf(error), next: hint ?? next };
  }
}

/** Tokens that are named and not set, in the words of a person. */
function requireTokens(names: readonly string[], variables: Context['environment']['variables']): void {
  const missing = names.filter((name) => (variables[name] ?? '') === '' && !isApp(variables, name));
  if (missing.length > 0)
    throw new CliError(
      'CLI_NOT_FOUND',
      { what: 'token in the variable', id: missing.join(', ') },
      { hint: `export ${missing.join('=… ')}=… in the shell that runs ./caloron up` },
    );
}

/** Tokens that would be refused on the host of the settings, in the words of a person. */
function requirePlaces(
  names: readonly string[],
  host: string | null,
  { token_hosts }: Context['environment'],
): void {
  const address = checkedHost(host);
  for (const name of names) {
    const elsewhere = misplaced(name, address, token_hosts);
    if (elsewhere === null) continue;
    const hint = placeHint(name, address, elsewhere.belongs_to);
    throw new CliError('CLI_NOT_FOUND', { what: `token for ${address} in the variable`, id: name }, { hint });
  }
}

/** Whether forges may tell of what happened. */
function webhooksSay(config: string, home: string, secret: string | null): string {
  if (secret === null) return 'off: the forge is polled by cron (CALORON_WEBHOOK_SECRET turns them on)';
  const waking = readConfig(config, home).jobs.filter(({ enabled, on }) => enabled && on.includes(DELIVERED));
  const names = waking.map(({ name }) => name).join(', ');
  if (names !== '') return `POST ${INBOUND_PATH} of the scheduler wakes ${names}`;
  throw new CliError(
    'CLI_NOT_FOUND',
    { what: 'job that deliveries wake in', id: config },
    { hint: `add "${DELIVERED}" to the "on" of sprint-tick` },
  );
}

/** Whether agents are confined here, and to what the settings say; throws where they would have to be and cannot. */
async function sandboxSays(
  project_file: string,
  variables: Context['environment']['variables'],
): Promise<string> {
  const project = readProjectConfig(project_file);
  const mode = project?.isolation?.sandbox ?? 'auto';
  if (mode === 'off') return 'off: agents can read and change what you can (isolation.sandbox)';
  const probe = await probeSandbox(variables['PATH'], project?.isolation?.network);
  if (probe.program !== null) return `${probe.program} works: agents run in it`;
  const { reason, remedy } = probe;
  const github = project !== undefined && (project.host ?? null) === null;
  if (mode === 'auto' && !github) return `none, agents can read and change what you can: ${reason}`;
  throw new CliError(
    'CLI_NOT_FOUND',
    { what: 'working sandbox', id: reason },
    {
      hint: `${remedy}; or have agents run without: "isolation": {"sandbox": "off"} in caloron.json`,
    },
  );
}

/** What the program of the settings' framework may do without anybody being asked. */
function approvalsSay(project_file: string, variables: Context['environment']['variables']): string {
  const framework =
    readProjectConfig(project_file)?.framework ?? ProjectConfig.shape.framework.parse(undefined);
  const unasked = unaskedOf(framework, variables['CALORON_ALLOW_DANGEROUS']);
  if (unasked === null) throw new CliError('CLI_NOT_FOUND', { what: 'framework', id: framework });
  return `${framework} may, unasked: ${unasked}`;
}

/** Whether ticks drive the sprint that is open. */
async function drives({ home, home_flag, runtime }: Context): Promise<Check> {
  const name = 'ticks';
  try {
    const { store } = runtime();
    const active = ActiveSprint.safeParse((await store.kv.get(keys.activeSprint))?.value).data;
    if (active === undefined) return { name, ok: true, detail: 'no sprint was begun yet', next: null };
    const { sprint_id } = active;
    const { state } = await store.forRun({ run_id: 'doctor', lease: null }).state.load(sprint_id);
    const now = systemClock.now();
    const drive = await driveOf(store, state, now, (after) => dueAfter(home.dir, after));
    const words = driveWords(drive, now, { home: home.dir, home_flag });
    if (words === undefined) {
      const last = drive.last_tick_at === null ? 'none yet' : `${spanWords(drive.last_tick_at, now)} ago`;
      return {
        name,
        ok: true,
        detail: `of sprint ${sprint_id}, ${state.status}: the last one ${last}`,
        next: null,
      };
    }
    const why = words.why === null ? '' : `: ${words.why}`;
    return { name, ok: false, detail: `of sprint ${sprint_id}: ${words.what}${why}`, next: words.next };
  } catch (error) {
    return { name, ok: false, detail: messageOf(error), next: null };
  }
}

function checks(context: Context): readonly Promise<Check>[] {
  const { home, environment, runtime } = context;
  const { variables } = environment;
  const config = join(home.dir, 'scheduler.json');
  const stages = join(home.dir, '.noether', 'store.json');
  return [
    checked('node', () => process.versions.node),
    checked('git', async () => (await git(['--version'], {})).stdout.trim(), 'install git 2.39 or newer'),
    checked('database', () => `${runtime().store.path} (${runtime().store.db_id})`),
    checked(PROJECT_CHECK, () =>
      readProjectConfig(home.project_file) === undefined
        ? `none at ${home.project_file}: defaults are used`
        : home.project_file,
    ),
    checked('tokens', () => {
      const project = readProjectConfig(home.project_file);
      const asked = [project?.token_env ?? 'GITHUB_TOKEN', project?.reviewer_token_env ?? null];
      const names = asked.filter((name) => name !== null);
      requireTokens(names, variables);
      requirePlaces(names, project?.host ?? null, environment);
      return names.join(', ');
    }),
    checked('forge limits', () => {
      const repo = readProjectConfig(home.project_file)?.repo;
      const standings = runtime().store.forgeBudgets.list();
      const told = limitsOf(standings, environment, systemClock.now(), undefined, repo);
      return told.length === 0 ? 'no forge was asked within a day' : told.map(limitWords).join('; ');
    }),
    checked('approvals', () => approvalsSay(home.project_file, variables)),
    checked('sandbox', async () => sandboxSays(home.project_file, variables)),
    checked('stage store', async () => {
      await verifyStageStore(stages, loadCatalog());
      return stages;
    }),
    checked('scheduler.json', () => `${readConfig(config, home.dir).jobs.length} jobs in ${config}`),
    checked('webhooks', () => webhooksSay(config, home.dir, environment.webhook_secret)),
    drives(context),
    checked(
      'shell',
      async () => {
        const shells = createShells({
          url: environment.shell_url,
          token: environment.shell_token,
          db_id: runtime().store.db_id,
        });
        const { version } = await shells.open(null).health();
        return `${environment.shell_url} (${version})`;
      },
      './caloron up',
    ),
  ];
}

/** `caloron doctor`: what is missing before a sprint can run, and what to do about it. */
export function doctorCommand(io: Io): Command {
  const command = new Command('doctor').description('check what a sprint needs').action(() =>
    runCommand(command, io, async (context) => {
      const found = await Promise.all(checks(context));
      const rows = found.map(({ name, ok, detail, next }) => [
        ok ? 'ok' : 'MISSING',
        name,
        next === null ? detail : `${detail} (next: ${next})`,
      ]);
      return {
        data: found,
        text: rows
          .map(([state = '', name = '', detail = '']) => `${state.padEnd(8)} ${name.padEnd(15)} ${detail}`)
          .join('\n'),
        table: { head: ['', 'what', 'detail'], rows },
        exit_code: found.every(({ ok }) => ok) ? 0 : 1,
      };
    }),
  );
  return command;
}
