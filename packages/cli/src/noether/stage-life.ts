import { lifecycleWord, type LifecycleChange } from '@caloron/noether/records';
import { openStageStore, type StageStore } from '@caloron/store';
import { Command } from 'commander';

import { runCommand } from '../context.ts';
import type { Answer, Io } from '../output.ts';
import { programCatalog } from '../stages.ts';
import { storeFile, type StoreOption, withStore } from './stage-options.ts';

const STAGE = ['<stage>', 'name, id or a beginning of the id'] as const;

function told({ record, supersedes }: LifecycleChange): Answer {
  const { id, name, lifecycle } = record;
  const word = lifecycleWord(lifecycle);
  const own = word !== 'Active' && programCatalog().entries.some((entry) => entry.record.id === id);
  const warnings = own ? ['its code is in this program: graphs find it as long as it is there'] : [];
  return {
    data: { id, name, lifecycle, supersedes, warnings },
    text: [
      `${name} ${id} is ${word} now`,
      ...(typeof lifecycle === 'object' ? [`  its successor is ${lifecycle.Deprecated.successor_id}`] : []),
      ...supersedes.map((old) => `  it takes the place of ${old}`),
      ...warnings.map((warning) => `  warning: ${warning}`),
    ].join('\n'),
  };
}

function lifeCommand(
  io: Io,
  made: Command,
  change: (store: StageStore, reference: string, options: LifeOptions) => Promise<LifecycleChange>,
): Command {
  const command = withStore(made.argument(...STAGE));
  return command.action((reference: string, options: LifeOptions) =>
    runCommand(command, io, async (context) =>
      told(await change(openStageStore({ file: storeFile(context, options) }), reference, options)),
    ),
  );
}

interface LifeOptions extends StoreOption {
  readonly successor?: string;
}

/** `noether stage activate STAGE`. */
export function activateCommand(io: Io): Command {
  const made = new Command('activate').description(
    'make a draft the one of its signature that graphs find; the one before is deprecated',
  );
  return lifeCommand(io, made, (store, reference) => store.activate(reference));
}

/** `noether stage deprecate STAGE --successor OTHER`. */
export function deprecateCommand(io: Io): Command {
  const made = new Command('deprecate')
    .description('let graphs that refer to a stage run another, with a warning')
    .requiredOption('--successor <stage>', 'the stage that takes its place');
  return lifeCommand(io, made, (store, reference, { successor }) =>
    store.deprecate(reference, successor ?? ''),
  );
}

/** `noether stage tombstone STAGE`. */
export function tombstoneCommand(io: Io): Command {
  const made = new Command('tombstone').description(
    'let no graph find a stage any more; there is no way back',
  );
  return lifeCommand(io, made, (store, reference) => store.bury(reference));
}
