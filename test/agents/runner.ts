import { mkdirSync, readdirSync, realpathSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { systemClock } from '@caloron/capabilities/clock';
import { git } from '@caloron/capabilities/git';
import { type EndCause, Order, type Sandbox } from '@caloron/types';

import { frameworkNamed } from '../../packages/harness/src/frameworks/table.ts';
import { causeOf } from '../../packages/harness/src/run-framework.ts';
import { createSandbox } from '../../packages/harness/src/sandbox.ts';
import { temporaryDirectory } from '../support/bins.ts';
import { type Cli, cliEnvironment } from './clis.ts';
import { type ModelEndpoint, startModel } from './model-endpoint.ts';
import type { Turn } from './turns.ts';

type Framework = ReturnType<typeof frameworkNamed>;
type Call = Parameters<Framework['run']>[0];

/** How a run of a program through its adapter ended. */
export type Result = Awaited<ReturnType<Framework['run']>>;

/** One run of a program through our adapter. */
export interface Ran {
  readonly result: Result;
  readonly cause: EndCause | null;
  /** What it printed, with the milliseconds since the start. */
  readonly output: readonly (readonly [ms: number, text: string])[];
  /** The session it named last. */
  readonly session: Call['session'];
}

/** What is asked of one run beside the script of the model. */
export interface Asked {
  readonly call?: Partial<Call>;
  readonly options?: Readonly<Record<string, string>>;
  readonly framework?: string;
  /** The sandbox to run in; absent: none. */
  readonly sandbox?: Sandbox;
}

/** A worktree, a home and a model for one program. */
export interface Runner {
  readonly dir: string;
  readonly worktree: string;
  /** The home its settings lie in. */
  readonly home: string;
  readonly model: ModelEndpoint;
  run(script: readonly Turn[], asked?: Asked): Promise<Ran>;
  close(): Promise<void>;
}

/** The task every program is given first. */
export const PROMPT = '## Your task\n\nWrite hello.txt: grüße.\n';

/** A place to run one program in, with a git repository and a model of its own. */
export async function createRunner(cli: Cli): Promise<Runner> {
  const dir = realpathSync(temporaryDirectory());
  const worktree = join(dir, 'tree');
  const home = join(dir, 'home');
  mkdirSync(worktree);
  await git(['init', '-q'], { cwd: worktree });
  const model = await startModel();
  const env = cliEnvironment(cli, home, model.url);
  let runs = 0;
  return {
    dir,
    worktree,
    home,
    model,
    async run(script, { call: change = {}, options = {}, framework = cli.framework, sandbox } = {}) {
      model.script = [...script];
      runs += 1;
      const order = orderOf(`p${runs}`, worktree, {
        name: framework,
        options: { ...cli.options, ...options },
      });
      const prompt_file = join(dir, 'prompt.md');
      // Each run is a process of its own, with a directory that is removed with it.
      const directory = join(dir, order.process_id);
      mkdirSync(directory);
      const box = createSandbox({
        order: sandbox === undefined ? order : { ...order, sandbox },
        directory,
        env,
        prompt_file,
      });
      const began = performance.now();
      const output: [number, string][] = [];
      let session: Call['session'] = null;
      const call: Call = {
        order,
        prompt: PROMPT,
        prompt_file,
        directory: box.scratch,
        confine: box.confine,
        // Codex's own sandbox needs rights of the kernel that a container may not have.
        dangerous: framework === 'codex-cli',
        env,
        timeout_ms: 60_000,
        signal: new AbortController().signal,
        onOutput: (text) => output.push([performance.now() - began, text]),
        onSession: (named) => (session = named),
        ...change,
      };
      try {
        const result = await frameworkNamed(framework).run(call);
        const cause = causeOf({ order, clock: systemClock }, result);
        return { result, cause, output, session };
      } finally {
        box.close();
      }
    },
    async close() {
      await model.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Dates sessions of Gemini CLI back: it names their files by the minute, and by its protocol writes over the one it is to load in the same one. */
export function earlierSessions(dir: string): void {
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name);
    const earlier = file.replace(/session-\d{4}-/, 'session-2025-');
    if (earlier !== file) renameSync(file, earlier);
  }
}

function orderOf(process_id: string, worktree: string, framework: Order['framework']): Order {
  return Order.parse({
    v: 1,
    process_id,
    sprint_id: 's1',
    agent_id: 'a1',
    role: 'author',
    mode: 'start',
    attempt: 1,
    worktree,
    branch: 'agent/a1/t1',
    base_sha: '0'.repeat(40),
    log_file: join(worktree, '..', 'log'),
    session_file: join(worktree, '..', 'tasks', 't1.author.session.json'),
    task: { id: 't1', title: 'hello', description: '', issue_number: 1, pr_number: null },
    repo: 'acme/widgets',
    host: null,
    clone_url: '',
    base_branch: 'main',
    head_sha: null,
    conventions: '',
    instruction: null,
    verify: [],
    timeout_ms: 60_000,
    untrusted: [],
    heartbeat_ms: 60_000,
    framework,
    shell_url: '',
    agent_token: '',
  });
}
