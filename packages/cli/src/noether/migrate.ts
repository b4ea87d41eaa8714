import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

import { compositionId, parseGraph } from '@caloron/noether';
import { loadGraph } from '@caloron/scheduler/runtime';
import { withFileLock } from '@caloron/store/stage-store-lock';
import { Command } from 'commander';

import { runCommand } from '../context.ts';
import { counted, type Io } from '../output.ts';
import { migrateText } from '../migration.ts';
import { programCatalog } from '../stages.ts';

/** Lines that differ, before and after; the texts have as many lines each unless the graph was written anew. */
function diff(before: string, after: string): readonly string[] {
  const [old, now] = [before.split('\n'), after.split('\n')];
  if (old.length !== now.length) return now.map((line) => `+ ${line}`);
  return old.flatMap((line, i) =>
    line === now[i] ? [] : [`@@ line ${i + 1}`, `- ${line.trim()}`, `+ ${(now[i] ?? '').trim()}`],
  );
}

/** `noether migrate GRAPH`: names for the ids of the original's stages. */
export function migrateCommand(io: Io): Command {
  const command = new Command('migrate')
    .description(
      "name the stages that a graph of the original's refers to by id; shows the changes unless --write",
    )
    .argument('<graph>', 'path of the graph')
    .option('--write', 'change the file');
  return command.action((path: string, options: { readonly write?: boolean }) =>
    runCommand(command, io, async ({ cwd }) => {
      const file = resolve(cwd, path);
      const before = compositionId(loadGraph(file));
      const old = readFileSync(file, 'utf8');
      const { text, renamed, unknown } = migrateText(old, programCatalog());
      const after = compositionId(parseGraph(text, path));
      const changed = renamed.length > 0;
      const written = changed && options.write === true;
      if (written) await withFileLock(file, (replace) => replace(text));
      const outcome = !changed
        ? unknown.length === 0
          ? `${path} refers to no stage of the original's by id`
          : `${path}: nothing could be named`
        : written
          ? `wrote ${path}: ${counted(renamed.length, 'reference')} named`
          : `${counted(renamed.length, 'reference')} would be named; --write changes the file`;
      return {
        data: { path: file, written, renamed, unknown, composition_id: { before, after } },
        text: [
          ...diff(old, text),
          ...unknown.map(({ path: at, reference, advice }) => `UNKNOWN ${at} ${reference}: ${advice}`),
          outcome,
          ...(changed ? [`composition ${before} → ${after}`] : []),
        ].join('\n'),
        exit_code: unknown.length === 0 ? 0 : 1,
      };
    }),
  );
}
