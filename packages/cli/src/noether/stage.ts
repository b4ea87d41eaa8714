import { join } from 'node:path';

import { loadCatalog } from '@caloron/scheduler';
import { Command } from 'commander';

import { runCommand } from '../context.ts';
import type { Io } from '../output.ts';
import { writeStages } from '../stages.ts';

/** The kinds of a record's effects. */
export function effectWords(effects: readonly unknown[]): readonly string[] {
  return effects.map((effect) => (effect as { readonly effect: string }).effect);
}

/** `noether stage list|get|sync`. */
export function stageCommand(io: Io): Command {
  const command = new Command('stage').description('look at stages');
  const head = ['id', 'name', 'effects', 'capabilities', 'description'] as const;
  const list = new Command('list').description('all stages').action(() =>
    runCommand(list, io, () => {
      const { entries } = loadCatalog();
      const rows = entries.map(({ record }) => [
        record.id.slice(0, 8),
        record.name,
        effectWords(record.signature.effects.effects).join(', '),
        record.capabilities.join(', '),
        record.description,
      ]);
      const text = rows
        .map(
          ([id = '', name = '', effects = '', , description = '']) =>
            `${id}  ${name.padEnd(28)} ${effects.padEnd(26)} ${description}`,
        )
        .join('\n');
      return Promise.resolve({
        data: entries.map(({ record: { archive: _archive, ...record } }) => record),
        text,
        table: { head, rows },
      });
    }),
  );
  const get = new Command('get')
    .argument('<stage>', 'name, id or a prefix of the id')
    .description('one stage, whole')
    .action((reference: string) =>
      runCommand(get, io, () => {
        const { archive, ...record } = loadCatalog().resolve(reference).record;
        return Promise.resolve({
          data: record,
          text: JSON.stringify({ ...record, files: Object.keys(archive ?? {}) }, null, 2),
        });
      }),
    );
  const sync = new Command('sync')
    .description('write the stage store')
    .option('--store <path>', 'its file (default: .noether/store.json of the home)')
    .action((options: { readonly store?: string }) =>
      runCommand(sync, io, async ({ home }) => {
        const path = options.store ?? join(home.dir, '.noether', 'store.json');
        const stages = await writeStages(path, loadCatalog());
        return {
          data: { path, stages: Object.fromEntries(stages) },
          text: [...stages.map(([name, id]) => `${name} → ${id}`), `wrote ${path}`].join('\n'),
        };
      }),
    );
  return command.addCommand(list).addCommand(get).addCommand(sync);
}
