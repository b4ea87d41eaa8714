import { rmSync } from 'node:fs';
import { join } from 'node:path';

import { systemClock } from '@caloron/capabilities/clock';
import { git } from '@caloron/capabilities/git';
import { systemRandom } from '@caloron/capabilities/random';
import { openStore, type Store } from '@caloron/store';
import type { Task } from '@caloron/types';

import {
  editJson,
  type Ended,
  environment,
  forgeWorld,
  type ForgeWorld,
  must,
  run,
  serve,
  type Serving,
  temporaryDirectory,
  writeText,
} from './bins.ts';
import { killProcessesOf } from './processes.ts';

/** One attempt of the stub's script of a task. */
export interface Attempt {
  readonly steps: readonly object[];
  readonly end?: object;
  readonly feedback?: object;
}

/** How a world differs from the plain one. */
export interface SprintWorldOptions {
  /** Fields of caloron.json, beside the directory of the scripts. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Variables of all its processes, beside the tokens. */
  readonly env?: Readonly<Record<string, string>>;
  /** Whether reviewers have a token of their own. */
  readonly reviewer?: boolean;
  /** A forge that another world has started and ends: two homes on one repository. */
  readonly forge?: ForgeWorld;
}

/**
 * A forge with `agent/lib`, a home whose agents are stubs, and the product's own processes: what a sprint needs. Ended by
 * `close`, however far its start came.
 */
export class SprintWorld {
  readonly dir = temporaryDirectory();
  readonly home = join(this.dir, 'home');
  readonly #options: SprintWorldOptions;
  /** In the order they were opened. */
  readonly #closers: (() => unknown)[] = [];
  #forge: ForgeWorld | undefined;
  #store: Store | undefined;
  #shell: Serving | undefined;

  constructor(options: SprintWorldOptions = {}) {
    this.#options = options;
  }

  /** Starts the forge, writes the home's settings, and starts the shell. */
  async start(): Promise<void> {
    const { settings = {}, reviewer = false, forge: shared } = this.#options;
    const forge = shared ?? (await forgeWorld(this.dir));
    this.#forge = forge;
    if (shared === undefined) this.onClose(forge.forge.stop);
    const where = ['--repo', forge.repo, '--host', forge.forge.url, '--token-env', 'CALORON_FORGE_TOKEN'];
    const reviews = reviewer ? ['--reviewer-token-env', 'CALORON_REVIEWER_TOKEN'] : [];
    await this.said('init', ...where, ...reviews, '--framework', 'stub');
    const script_dir = join(this.dir, 'scripts');
    editJson(join(this.home, 'caloron.json'), { framework_options: { script_dir }, ...settings });
    await this.startShell();
  }

  /** Starts a shell; also a second one, once the first is gone. */
  async startShell(): Promise<Serving> {
    this.#shell = undefined;
    const shell = await serve('caloron-shell', ['--port', '0', '--home', this.home], this.#place());
    this.onClose(shell.stop);
    this.#shell = shell;
    return shell;
  }

  /** Starts a scheduler beside the shell. */
  async startScheduler(): Promise<Serving> {
    const scheduler = await serve('noether-scheduler', ['--config', 'scheduler.json'], this.#place());
    this.onClose(scheduler.stop);
    return scheduler;
  }

  /** Opens a sprint of these tasks, `[task] What to do (after: other)`. */
  async kickoff(sprint_id: string, tasks: readonly string[], ...more: readonly string[]): Promise<void> {
    const brief = tasks.map((task) => `- ${task}`).join('\n');
    await this.said('kickoff', brief, '--repo', this.forge.repo, '--sprint-id', sprint_id, ...more);
  }

  /** What an agent does for a task, attempt by attempt. */
  script(task: string, ...attempts: readonly Attempt[]): void {
    writeText(join(this.dir, 'scripts', `${task}.json`), JSON.stringify({ v: 1, attempts }));
  }

  /** A step that says that it is reached by `{name}.begun` in the world's directory and waits for `{go}.go`. Needs a world whose sandbox is off. */
  gate(name: string, go = name): object {
    const until = `while [ ! -e ${this.dir}/${go}.go ]; do sleep 0.05; done`;
    return { run: ['sh', '-c', `touch ${this.dir}/${name}.begun; ${until}`] };
  }

  /** Lets who waits at a gate go on. */
  open(gate: string): void {
    writeText(join(this.dir, `${gate}.go`), '');
  }

  /** Runs the product's command in this home. */
  caloron(...args: readonly string[]): Promise<Ended> {
    return run('caloron', [...args, '--home', this.home], { cwd: this.dir, env: this.env });
  }

  /** What the product's command says, which must go well. */
  said(...args: readonly string[]): Promise<string> {
    return must('caloron', [...args, '--home', this.home], { cwd: this.dir, env: this.env });
  }

  /** The tasks of a sprint as they stand in the database: a look that is repeated needs no process of its own. */
  async tasks(sprint_id: string): Promise<Readonly<Record<string, Task>>> {
    return (await this.store.forRun({ run_id: 'test', lease: null }).state.load(sprint_id)).state.tasks;
  }

  /** git in a clone of the repository, as somebody who owns it. */
  async git(...args: readonly string[]): Promise<string> {
    const author = { name: 'A Person', email: 'person@localhost' };
    const credential = { username: 'x-access-token', token: this.forge.tokens.CALORON_FORGE_TOKEN };
    return (await git(args, { cwd: join(this.dir, 'seed'), author, credential })).stdout;
  }

  /** Asks the forge about the repository: `issues/1`; with a body it is posted. */
  async ask(path: string, body?: object): Promise<unknown> {
    const response = await fetch(`${this.forge.forge.url}/repos/${this.forge.repo}/${path}`, {
      headers: {
        authorization: `token ${this.forge.tokens.CALORON_FORGE_TOKEN}`,
        'content-type': 'application/json',
      },
      ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
    });
    return response.json();
  }

  /** The forge; throws before it was started. */
  get forge(): ForgeWorld {
    if (this.#forge === undefined) throw new Error('the world was not started');
    return this.#forge;
  }

  /** The shell that was started last; throws before. */
  get shell(): Serving {
    if (this.#shell === undefined) throw new Error('no shell was started');
    return this.#shell;
  }

  /** The home's database, beside the processes that have it open. */
  get store(): Store {
    if (this.#store !== undefined) return this.#store;
    const uuid = (): string => systemRandom.uuid();
    const store = openStore(join(this.home, '.caloron/caloron.db'), { clock: systemClock, uuid });
    this.onClose(() => store.close());
    this.#store = store;
    return store;
  }

  /** Variables of its processes. */
  get env(): Readonly<Record<string, string>> {
    const url = this.#shell === undefined ? {} : { CALORON_SHELL_URL: this.#shell.url };
    return environment({ ...this.#forge?.tokens, USER: 'ada', ...this.#options.env, ...url });
  }

  /** The repository's address for git. */
  get remote(): string {
    return `${this.forge.forge.url}/${this.forge.repo}.git`;
  }

  /** Something that ends with the world, before what was opened earlier. */
  onClose(end: () => unknown): void {
    this.#closers.push(end);
  }

  /** Ends everything and removes the directory. */
  async close(): Promise<void> {
    try {
      for (const end of this.#closers.splice(0).toReversed()) await end();
    } finally {
      killProcessesOf(this.dir);
      rmSync(this.dir, { recursive: true, force: true });
    }
  }

  #place(): { readonly cwd: string; readonly env: Readonly<Record<string, string>> } {
    return { cwd: this.home, env: this.env };
  }
}
