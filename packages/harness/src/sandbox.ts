import { existsSync, mkdirSync, realpathSync, rmSync, statSync } from 'node:fs';
import { delimiter, dirname, isAbsolute, join, sep } from 'node:path';

import { confinedArgv, findProgram, prefixOf } from '@caloron/capabilities/sandbox';
import type { Order } from '@caloron/types';

import { argvOf } from './frameworks/command.ts';
import { showState } from './sandbox-state.ts';
import { clearWay, isBelow } from './sandbox-way.ts';

/** The sandbox of one run of the harness. */
export interface AgentSandbox {
  /** The command line that runs another one in it. */
  readonly confine: (argv: readonly string[]) => readonly string[];
  /** A directory outside the worktree that the agent's program may write. */
  readonly scratch: string;
  /** Removes what the program left in the directories that were its own. */
  readonly close: () => void;
}

/** What a sandbox is made of. */
export interface SandboxParts {
  readonly order: Order;
  /** This process's own directory: the sandbox's home and /tmp are made in it. */
  readonly directory: string;
  readonly env: Readonly<Record<string, string>>;
  readonly prompt_file: string;
}

/**
 * Makes the sandbox the order asks for; without one command lines stay as they are. The harness itself stays outside: it talks
 * to the shell and delivers with a token the agent never sees.
 */
export function createSandbox(parts: SandboxParts): AgentSandbox {
  const { order, directory, env, prompt_file } = parts;
  const scratch = join(directory, 'own');
  mkdirSync(scratch, { recursive: true, mode: 0o700 });
  const sandbox = order.sandbox ?? null;
  if (sandbox === null) return { confine: (argv) => argv, scratch, close: () => undefined };

  const place = join(directory, 'sandbox');
  const own = { tmp: join(place, 'tmp'), home: join(place, 'home') };
  for (const dir of [own.tmp, own.home]) mkdirSync(dir, { recursive: true, mode: 0o700 });
  const home = env['HOME'];
  const has_home = home !== undefined && isAbsolute(home) && home !== '/';
  const state = has_home
    ? showState({ order, env, home, own_home: own.home, place })
    : { readable: [], writable: [], instead: [] };
  const guard = guardOf([...sandbox.hidden, ...(has_home ? [home] : [])], sandbox.hidden);
  const programs = [...searched(env['PATH']), ...nodes(env['PATH']), ...named(order)].filter(guard);
  const cache_dir = order.workspace?.cache_dir ?? null;
  const common = {
    program: sandbox.program,
    network: sandbox.network,
    instead: [
      { at: '/tmp', is: own.tmp },
      ...(has_home ? [{ at: home, is: own.home }] : []),
      ...state.instead,
    ],
    hidden: sandbox.hidden,
    writable: [...state.writable, ...sandbox.writable, scratch, ...(cache_dir === null ? [] : [cache_dir])],
    cwd: order.worktree,
  };
  return {
    scratch,
    confine(argv) {
      const [command = ''] = argv;
      const program = findProgram(command, env['PATH'], order.worktree);
      // A program of the worktree is the agent's to make: a link there opens nothing.
      const installed =
        program === undefined || isBelow(order.worktree, program) ? [] : installation(program);
      const prompt = existsSync(prompt_file) ? [prompt_file] : [];
      const readable = [
        ...programs,
        ...installed.filter(guard),
        ...state.readable,
        ...sandbox.readable,
        ...prompt,
      ];
      clearWay(common.instead, [...readable, ...common.writable]);
      return confinedArgv({ ...common, readable }, argv);
    },
    close() {
      try {
        rmSync(place, { recursive: true, force: true, maxRetries: 2 });
      } catch {
        // A folder the agent made unreadable stays: it holds what the agent wrote, and nobody reads it.
      }
    },
  };
}

/** What may be shown that nobody named outright: nothing that holds one of `around`, or lies in one of `hidden`. */
function guardOf(around: readonly string[], hidden: readonly string[]): (path: string) => boolean {
  return (path) =>
    path !== '/' &&
    existsSync(path) &&
    !around.some((root) => isBelow(path, root)) &&
    !hidden.some((root) => isBelow(root, path));
}

/** Where programs are looked for, beside those of the system, which every sandbox has. */
function searched(path: string | undefined): readonly string[] {
  return (path ?? '').split(delimiter).filter((dir) => isAbsolute(dir) && !isSystem(dir));
}

/** The Node of the harness, and the one an agent's program finds. */
function nodes(path: string | undefined): readonly string[] {
  const found = [process.execPath, findProgram('node', path) ?? process.execPath];
  return found.map((node) => prefixOf(realpathSync(node))).filter((dir) => !isSystem(dir));
}

/** Files that the sprint's own command lines name: whoever wrote the settings wants them read. */
function named({ framework, verify, workspace }: Order): readonly string[] {
  const own = framework.name === 'command' ? argvOf(framework.options['command'] ?? '', 'command') : [];
  const { before_run, after_run, hook } = workspace ?? {};
  const hooks = [before_run, after_run, hook?.argv].flatMap((argv) => argv ?? []);
  return [...own, ...verify.flat(), ...hooks].filter(
    (word) => isAbsolute(word) && !isSystem(word) && statSync(word, { throwIfNoEntry: false })?.isFile(),
  );
}

/** What belongs to an installed program: where its name lies, and the packages or the folder that name leads to. */
function installation(program: string): readonly string[] {
  if (isSystem(program) && isSystem(realpathSync(program))) return [];
  const real = realpathSync(program);
  const mark = `${sep}node_modules${sep}`;
  const at = real.indexOf(mark);
  return [program, at < 0 ? real : real.slice(0, at + mark.length - 1), ...(at < 0 ? [dirname(real)] : [])];
}

function isSystem(path: string): boolean {
  return ['/usr', '/opt', '/nix', '/gnu', '/bin', '/sbin', '/lib', '/lib64'].some((root) =>
    isBelow(root, path),
  );
}
