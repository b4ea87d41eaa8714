import {
  constants,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';

import type { Order } from '@caloron/types';

import { type StatePlace, statePlaces } from './frameworks/state.ts';
import { isBelow } from './sandbox-way.ts';
import { resumes } from './session.ts';

/** What of a framework's places is in a sandbox, and as what. */
export interface ShownState {
  readonly readable: readonly string[];
  readonly writable: readonly string[];
  readonly instead: readonly { readonly at: string; readonly is: string }[];
}

/** What those places are laid out from. */
export interface StateParts {
  readonly order: Order;
  readonly env: Readonly<Record<string, string>>;
  /** The user's home, and the directory that stands for it in the sandbox. */
  readonly home: string;
  readonly own_home: string;
  /** Where the task's own directories are made for a run that keeps no session. */
  readonly place: string;
}

/**
 * Lays out what a framework keeps in the user's home. What the program writes there goes into a directory of the task's, so it finds its own
 * session again and never those of others.
 */
export function showState({ order, env, home, own_home, place }: StateParts): ShownState {
  const readable: string[] = [];
  const writable: string[] = [];
  const instead: { at: string; is: string }[] = [];
  const kept = keptState(order) ?? join(place, 'state');
  for (const [index, state] of statePlaces(order.framework, { home, env }).entries()) {
    const found = statSync(state.at, { throwIfNoEntry: false });
    if (found?.isFile() === true) {
      if (isBelow(home, state.at)) copyTo(join(own_home, relative(home, state.at)), state.at);
      else readable.push(state.at);
      continue;
    }
    if (state.is === 'file') continue;
    const is = join(kept, order.framework.name, String(index));
    mkdirSync(is, { recursive: true, mode: 0o700 });
    instead.push({ at: state.at, is });
    if (found === undefined) continue;
    const shown = shownOf(state, is);
    readable.push(...shown.readable);
    writable.push(...shown.writable);
  }
  return { readable, writable, instead };
}

/** The directory in which a task's program keeps its state between runs; null for a run whose session is not kept. */
export function keptState(order: Order): string | null {
  const { session_file } = order;
  return session_file === undefined || !resumes(order) ? null : `${session_file}.d`;
}

function shownOf(state: StatePlace, is: string): Pick<ShownState, 'readable' | 'writable'> {
  const readable: string[] = [];
  const writable: string[] = [];
  for (const name of readdirSync(state.at)) {
    const path = join(state.at, name);
    if (state.copies.includes(name)) copyTo(join(is, name), path);
    else if (state.keeps.includes(name)) {
      if (!lstatSync(path).isSymbolicLink()) writable.push(path);
    } else if (!state.hides.test(name) && existsSync(path)) readable.push(path);
  }
  return { readable, writable };
}

/** Anew for each process; a link that an agent left where the copy belongs is not followed. */
function copyTo(copy: string, path: string): void {
  mkdirSync(dirname(copy), { recursive: true, mode: 0o700 });
  rmSync(copy, { recursive: true, force: true });
  copyFileSync(path, copy, constants.COPYFILE_EXCL);
}
