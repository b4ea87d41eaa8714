import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { createShells } from '@caloron/capabilities/shell';
import { loadCatalog, readConfig } from '@caloron/scheduler';
import type { Home } from '@caloron/store';
import { Command } from 'commander';

import { type Context, runCommand } from '../context.ts';
import { CliError } from '../errors.ts';
import { counted, type Io } from '../output.ts';
import {
  forgetServices,
  knownServices,
  rememberServices,
  type Service,
  startService,
  stopService,
} from '../services.ts';
import { writeStages } from '../stages.ts';

/** An agent stopped by `down --agents` has this long to end by itself. */
const AGENT_GRACE_MS = 10_000;

function present(variables: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(variables).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

/** How a process finds this home again: by flag, or where CALORON_DB moved the database, by place and variable. */
function wayHome({ dir, db }: Home): {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
} {
  const moved = db !== join(dir, '.caloron', 'caloron.db');
  return moved ? { args: [], env: { CALORON_DB: db } } : { args: ['--home', dir], env: {} };
}

/** What `up` does with the processes of a home that run already: those it leaves alone, and those it ends to start them anew. */
export interface Found {
  readonly kept: readonly Service[];
  readonly ended: readonly Service[];
}

/** Keeps what runs where a process is missing; a scheduler whose shell is gone looks for it where it was, so it starts anew with it. Throws CLI_ALREADY_UP. */
export function findStanding(home: string, known: readonly Service[]): Found {
  const runs = (name: Service['name']): boolean => known.some((service) => service.name === name);
  if (runs('caloron-shell') && runs('noether-scheduler')) {
    const services = known.map(({ name, pid }) => `${name} (pid ${pid})`);
    throw new CliError('CLI_ALREADY_UP', { home, services }, { hint: './caloron down stops them' });
  }
  const stale = ({ name }: Service): boolean => name === 'noether-scheduler';
  return { kept: known.filter((service) => !stale(service)), ended: known.filter(stale) };
}

async function startAll(
  { home, environment, signal }: Context,
  config: string,
  shell_args: readonly string[],
  scheduler_port: string,
  running: Service | undefined,
): Promise<readonly Service[]> {
  const way = wayHome(home);
  const log_dir = join(home.dir, '.caloron', 'logs');
  const common = { cwd: home.dir, log_dir, signal };
  const env = { ...present(environment.variables), ...way.env };
  const services: Service[] = [];
  try {
    const shell_order = {
      name: 'caloron-shell',
      args: [...shell_args, ...way.args],
      env,
      ...common,
    } as const;
    const shell = running ?? (await startService(shell_order));
    if (running === undefined) services.push(shell);
    const scheduler = await startService({
      name: 'noether-scheduler',
      args: ['--config', config, '--port', scheduler_port, ...way.args],
      env: { ...env, CALORON_SHELL_URL: shell.url },
      ...common,
    });
    return [...services, scheduler];
  } catch (error) {
    await Promise.all(services.map(stopService));
    throw error;
  }
}

/** `caloron up`: starts shell and scheduler for this home; they go on when the terminal closes. */
export function upCommand(io: Io): Command {
  const command = new Command('up')
    .description('start the shell and the scheduler for this home')
    .option('--config <path>', 'scheduler config (default: scheduler.json of the home)')
    .option('--require-sandbox', 'start no agent without a sandbox, and nothing at all where none works')
    .option('--shell-port <n>', 'port of the shell; 0 takes a free one', '0')
    .option('--scheduler-port <n>', 'port of the scheduler, where webhooks come in; 0 takes a free one', '0')
    .action(
      (options: {
        readonly config?: string;
        readonly shellPort: string;
        readonly schedulerPort: string;
        readonly requireSandbox?: boolean;
      }) =>
        runCommand(
          command,
          io,
          async (context) => {
            const { home, cwd, home_flag } = context;
            const { kept, ended } = findStanding(home.dir, knownServices(home.dir));
            const config = resolve(cwd, options.config ?? join(home.dir, 'scheduler.json'));
            // What is wrong in it is said here and now, before anything is started or written.
            const { store_path } = readConfig(config, home.dir);
            await writeStages(store_path, loadCatalog());
            await Promise.all(ended.map(stopService));
            const sandbox = options.requireSandbox === true ? ['--require-sandbox'] : [];
            const started = await startAll(
              context,
              config,
              ['--port', options.shellPort, ...sandbox],
              options.schedulerPort,
              kept.find(({ name }) => name === 'caloron-shell'),
            );
            const services = [...kept, ...started];
            rememberServices(home.dir, services);
            const lines = services.map(
              (service) =>
                `${service.name.padEnd(18)} ${service.url} (pid ${service.pid})${kept.includes(service) ? ', ran already' : ''}`,
            );
            return {
              data: services,
              text: [...lines, '', `Stop them: ./caloron down${home_flag}`].join('\n'),
            };
          },
          { creates: true, on_interrupt: 'stopping what was started' },
        ),
    );
  return command;
}

async function stopAgents({ environment, runtime }: Context, shell: Service | undefined): Promise<number> {
  const open = runtime().store.processes.open();
  if (open.length === 0) return 0;
  if (shell === undefined)
    throw new CliError(
      'CLI_NOT_FOUND',
      { what: 'running process', id: 'caloron-shell' },
      { hint: './caloron up, then ./caloron down --agents' },
    );
  const client = createShells({
    url: shell.url,
    token: environment.shell_token,
    db_id: runtime().store.db_id,
  }).open(null);
  await Promise.all(
    open.map(({ process_id }) =>
      client.stop({ process_id, grace_ms: AGENT_GRACE_MS, reason: 'stopped by a person with all others' }),
    ),
  );
  return open.length;
}

/** `caloron down`: stops what `up` or `demo --keep` started; agents go on unless `--agents`. */
export function downCommand(io: Io): Command {
  const command = new Command('down')
    .description('stop the processes of this home; agents go on unless --agents')
    .option('--agents', 'end the agents too; their uncommitted work is kept')
    .action((options: { readonly agents?: boolean }) =>
      runCommand(command, io, async (context) => {
        const { home, home_flag } = context;
        const services = knownServices(home.dir);
        await Promise.all(services.filter(({ name }) => name === 'noether-scheduler').map(stopService));
        const agents =
          options.agents === true
            ? await stopAgents(
                context,
                services.find(({ name }) => name === 'caloron-shell'),
              )
            : 0;
        await Promise.all(services.map(stopService));
        forgetServices(home.dir);
        const left = existsSync(home.db) ? context.runtime().store.processes.open().length : 0;
        const lines = [
          ...services.map(({ name, pid }) => `${name} (pid ${pid}) stopped`),
          ...(agents === 0 ? [] : [`${agents} agents ended`]),
          ...(left === 0
            ? []
            : [
                `${counted(left, 'agent')} still at work; to end ${left === 1 ? 'it' : 'them'} too: ./caloron up${home_flag} && ./caloron down --agents${home_flag}`,
              ]),
        ];
        return {
          data: { stopped: services, agents, left },
          text: lines.length === 0 ? 'nothing was running' : lines.join('\n'),
        };
      }),
    );
  return command;
}
