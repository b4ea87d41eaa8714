import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { readStageStore } from '@caloron/store';
import { Command } from 'commander';

import { runCommand } from '../context.ts';
import { CliError } from '../errors.ts';
import type { Io } from '../output.ts';
import { effectWords } from './stage.ts';

function tally(words: readonly string[]): Readonly<Record<string, number>> {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return Object.fromEntries([...counts].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function showTally(title: string, counts: Readonly<Record<string, number>>): string {
  const shown = Object.entries(counts).map(([word, count]) => `${word} ${count}`);
  return `  ${title.padEnd(13)} ${shown.join(', ') || '-'}`;
}

/** `noether store stats`: what the stage store file holds. */
export function storeCommand(io: Io): Command {
  const command = new Command('store').description('look at the stage store');
  const stats = new Command('stats')
    .description('how many stages the stage store holds, by lifecycle, effect and capability')
    .option('--store <path>', 'its file (default: .noether/store.json of the home)')
    .action((options: { readonly store?: string }) =>
      runCommand(stats, io, async ({ home }) => {
        const path = options.store ?? join(home.dir, '.noether', 'store.json');
        if (!existsSync(path))
          throw new CliError(
            'CLI_NOT_FOUND',
            { what: 'stage store', id: path },
            { hint: './noether stage sync' },
          );
        const records = await readStageStore(path);
        const data = {
          path,
          stages: records.length,
          lifecycles: tally(
            records.map(({ lifecycle }) => (typeof lifecycle === 'string' ? lifecycle : 'Deprecated')),
          ),
          effects: tally(records.flatMap(({ signature }) => effectWords(signature.effects.effects))),
          capabilities: tally(records.flatMap(({ capabilities }) => capabilities)),
        };
        const text = [
          `${records.length} stages in ${path}`,
          showTally('lifecycle', data.lifecycles),
          showTally('effects', data.effects),
          showTally('capabilities', data.capabilities),
        ].join('\n');
        return { data, text };
      }),
    );
  return command.addCommand(stats);
}
