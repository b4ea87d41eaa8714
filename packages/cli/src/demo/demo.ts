import { join, relative } from 'node:path';

import { systemClock } from '@caloron/capabilities/clock';
import { systemRandom } from '@caloron/capabilities/random';
import { createShells } from '@caloron/capabilities/shell';
import { messageOf } from '@caloron/noether/errors';
import {
  createRuntime,
  findHome,
  loadCatalog,
  loadGraph,
  readEnvironment,
  type Runtime,
} from '@caloron/scheduler';
import { type DagState, keys, KickoffOutput, type Kpis, RetroOutput } from '@caloron/types';

import { compositionPath, mustRun } from '../composition.ts';
import { CliError } from '../errors.ts';
import type { Answer, Io } from '../output.ts';
import { forgetServices, rememberServices, type Service, startService, stopService } from '../services.ts';
import { writeStages } from '../stages.ts';
import { showLine, tell } from '../story.ts';
import { writeDemoConfigs } from './configs.ts';
import { addUser, createSampleRepository, demoId, type DemoUsers, sampleBrief } from './world.ts';

/** Longest the demo's sprint may take; it needs about a third of it on two cores. */
const DEMO_LIMIT_MS = 240_000;
/** An agent that ignores SIGTERM this long is killed when the demo is interrupted. */
const AGENT_GRACE_MS = 2_000;

/** What the demo is run with. */
export interface DemoOptions {
  readonly cwd: string;
  readonly io: Io;
  /** Leaves the processes up. */
  readonly keep: boolean;
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}

interface Demo {
  readonly id: string;
  readonly dir: string;
  readonly services: Service[];
  runtime: Runtime | undefined;
  /** Also what stops agents: set once the shell is up. */
  stopAgents: () => Promise<void>;
}

/** Runs a whole sprint: forge, shell and scheduler as processes of their own, a sample project, scripted agents, real git. */
export async function runDemo(options: DemoOptions): Promise<Answer> {
  const { io, cwd, signal, keep } = options;
  const id = demoId(systemClock.now());
  const dir = join(cwd, '.caloron', 'demo', id);
  const demo: Demo = { id, dir, services: [], runtime: undefined, stopAgents: () => Promise.resolve() };
  let finished = false;
  try {
    const say = (what: string, text: string): void =>
      io.err(`${showLine({ at: systemClock.now(), what, task: '', text })}\n`);
    const begun = performance.now();
    await start(demo, options, say);
    const report = await follow(demo, options);
    finished = true;
    if (keep) rememberServices(dir, demo.services);
    return summary(demo, report, cwd, Math.round((performance.now() - begun) / 1000), keep);
  } finally {
    if (!(keep && finished && !signal.aborted)) await stopAll(demo, io);
    demo.runtime?.close();
  }
}

async function start(
  demo: Demo,
  { io, variables, signal }: DemoOptions,
  say: (what: string, text: string) => void,
): Promise<void> {
  const { dir, services, id } = demo;
  const log_dir = join(dir, '.caloron', 'logs');
  const data = join(dir, 'forge');
  const base = allowed(variables);
  const launch = async (
    name: Parameters<typeof startService>[0]['name'],
    args: readonly string[],
    env: Readonly<Record<string, string>>,
  ): Promise<Service> => {
    signal.throwIfAborted();
    const service = await startService({ name, args, env, cwd: dir, log_dir });
    services.push(service);
    say('start', `${name} at ${service.url} (pid ${service.pid})`);
    return service;
  };

  const store = join(dir, '.noether', 'store.json');
  await writeStages(store, loadCatalog());
  const forge = await launch('caloron-forge', ['--port', '0', '--data', data], base);
  const users: DemoUsers = {
    author: await addUser(data, 'caloron-agent', base),
    reviewer: await addUser(data, 'caloron-reviewer', base),
    human: await addUser(data, 'you', base),
  };
  const repo = await createSampleRepository(forge.url, users, join(dir, 'scratch'));
  say('repo', `${repo} created on the local forge, sample project pushed`);

  const config = writeDemoConfigs(dir, { repo, host: forge.url, users, store });
  const tokens = { CALORON_FORGE_TOKEN: users.author.token, CALORON_REVIEWER_TOKEN: users.reviewer.token };
  const shell = await launch('caloron-shell', ['--port', '0', '--home', dir], { ...base, ...tokens });
  const env = { ...base, ...tokens, CALORON_SHELL_URL: shell.url };

  const home = findHome({ flag: dir, cwd: dir });
  demo.runtime = createRuntime({
    home,
    environment: readEnvironment(env, home),
    clock: systemClock,
    random: systemRandom,
  });
  demo.stopAgents = () => stopAgents(demo, env);
  await launch('noether-scheduler', ['--config', config, '--home', dir, '--port', '0'], env);

  const path = compositionPath('kickoff');
  const kicked = mustRun(
    await demo.runtime.run({
      graph: loadGraph(path),
      graph_name: path,
      input: { brief: sampleBrief(), repo, sprint_id: id, host: forge.url, token_env: 'CALORON_FORGE_TOKEN' },
      labels: { command: 'demo' },
    }),
    { graph: path, home_flag: ` --home ${dir}`, places: false },
  );
  const { dag, generator } = KickoffOutput.parse(kicked.output);
  io.err(`${showGraph(dag, generator)}\n`);
}

/** What a process needs of the caller's environment; no token of the caller's reaches the demo. */
function allowed(variables: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string>> {
  const names = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TMPDIR', 'TZ', 'CALORON_LOG_LEVEL'];
  return Object.fromEntries(
    names.flatMap((name) => (variables[name] === undefined ? [] : [[name, variables[name]]])),
  );
}

function showGraph(dag: DagState, generator: string): string {
  const lines = dag.order.map((id) => {
    const task = dag.tasks[id];
    const after =
      task === undefined || task.depends_on.length === 0 ? '' : `  after ${task.depends_on.join(', ')}`;
    return `          ${' '.repeat(9)} ${id.padEnd(14)} ${task?.agent_id ?? ''}${after}`;
  });
  return [`          plan      ${''.padEnd(14)} ${dag.order.length} tasks (${generator})`, ...lines].join(
    '\n',
  );
}

/** Prints what happens until the retro is written; throws CLI_DEMO_UNFINISHED at the limit and the signal's reason on Ctrl-C. */
async function follow(demo: Demo, { io, signal }: DemoOptions): Promise<RetroOutput> {
  const { runtime, id } = demo;
  if (runtime === undefined) throw new Error('the demo was not started');
  const deadline = performance.now() + DEMO_LIMIT_MS;
  let after = 0;
  for (;;) {
    signal.throwIfAborted();
    for (const row of runtime.store.events.read({ after })) {
      after = row.seq;
      const line = tell(row);
      if (line !== undefined) io.err(`${showLine(line)}\n`);
    }
    const report = await finalReport(runtime, id);
    if (report !== undefined) return report;
    if (performance.now() > deadline) {
      const { state } = await runtime.store.forRun({ run_id: 'demo', lease: null }).state.load(id);
      const open = state.order.map((task) =>
        `${task}: ${state.tasks[task]?.status ?? '?'} ${state.tasks[task]?.status_reason ?? ''}`.trim(),
      );
      throw new CliError(
        'CLI_DEMO_UNFINISHED',
        { seconds: DEMO_LIMIT_MS / 1000, stuck: open.join('; ') },
        { hint: `look at the logs in ${join(demo.dir, '.caloron', 'logs')}` },
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function finalReport(runtime: Runtime, id: string): Promise<RetroOutput | undefined> {
  const found = await runtime.store.kv.get(keys.report(id));
  const parsed = RetroOutput.safeParse(found?.value);
  return parsed.success && !parsed.data.interim ? parsed.data : undefined;
}

async function stopAgents(demo: Demo, env: Readonly<Record<string, string>>): Promise<void> {
  const { runtime, dir } = demo;
  const home = findHome({ flag: dir, cwd: dir });
  const environment = readEnvironment(env, home);
  const open = runtime?.store.processes.open() ?? [];
  const shell = createShells({
    url: environment.shell_url,
    token: environment.shell_token,
    db_id: null,
  }).open(null);
  await Promise.all(open.map(({ process_id }) => shell.stop({ process_id, grace_ms: AGENT_GRACE_MS })));
}

async function stopAll(demo: Demo, io: Io): Promise<void> {
  const { services } = demo;
  const scheduler = services.filter(({ name }) => name === 'noether-scheduler');
  await Promise.all(scheduler.map(stopService));
  await demo
    .stopAgents()
    .catch((error: unknown) => io.err(`agents could not be stopped: ${messageOf(error)}\n`));
  await Promise.all(services.filter((service) => !scheduler.includes(service)).map(stopService));
  forgetServices(demo.dir);
}

function summary(demo: Demo, report: RetroOutput, cwd: string, seconds: number, keep: boolean): Answer {
  const home = relative(cwd, demo.dir);
  const lines = [
    '',
    `The sprint is complete after ${seconds} s. Everything it did is in ${home}`,
    '',
    ...showKpis(report.kpis),
    '',
    `Report: ${relative(cwd, report.report_path) || report.report_path}`,
    '',
    'Look further:',
    `  ./caloron status --home ${home}`,
    `  ./caloron show count-words --home ${home}`,
    `  ./noether runs --home ${home}`,
    ...(keep
      ? [
          '',
          `The processes are up. Stop them: ./caloron down --home ${home}`,
          ...demo.services.map(({ name, url }) => `  ${name} ${url}`),
        ]
      : []),
  ];
  return {
    data: { id: demo.id, home: demo.dir, seconds, ...report, services: keep ? demo.services : [] },
    text: lines.join('\n'),
  };
}

function showKpis(kpis: Kpis): readonly string[] {
  const rows: readonly (readonly [string, string])[] = [
    [
      'tasks done',
      `${kpis.completed_tasks} of ${kpis.total_tasks} (${Math.round(kpis.completion_rate * 100)} %)`,
    ],
    ['interventions', String(kpis.total_interventions)],
    ['escalations', String(kpis.escalated_count)],
    ['blocked', String(kpis.blocked_count)],
  ];
  return rows.map(([name, value]) => `  ${name.padEnd(14)} ${value}`);
}
