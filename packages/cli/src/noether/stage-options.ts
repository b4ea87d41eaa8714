import { resolve } from 'node:path';

import type { Command } from 'commander';

import type { Context } from '../context.ts';

/** Which stage store a command speaks of. */
export interface StoreOption {
  readonly store?: string;
}

/** Gives a command `--store`. */
export function withStore(command: Command): Command {
  return command.option('--store <path>', 'the stage store (default: .noether/store.json of the home)');
}

/** The stage store a command speaks of; its keys lie beside it. */
export function storeFile({ home, cwd }: Context, { store }: StoreOption): string {
  return store === undefined ? home.stage_store : resolve(cwd, store);
}

/** The kinds of a record's effects; `?` for what is none. */
export function effectWords(effects: readonly unknown[]): readonly string[] {
  return effects.map((effect) =>
    typeof effect === 'object' && effect !== null && 'effect' in effect && typeof effect.effect === 'string'
      ? effect.effect
      : '?',
  );
}
