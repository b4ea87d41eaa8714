import type { Catalog, CatalogStage } from '@caloron/noether';
import { messageOf } from '@caloron/noether/errors';
import { noCode } from '@caloron/noether/records';
import { Command } from 'commander';

import { runCommand } from '../context.ts';
import { type ExampleRun, runExamples, whyNotRun } from '../example-runs.ts';
import { counted, type Io } from '../output.ts';
import { carriedStage, type KnownStage, knownStages, oneStage, programCatalog } from '../stages.ts';
import { storeFile, type StoreOption, withStore } from './stage-options.ts';

interface Tested {
  readonly id: string;
  readonly name: string;
  readonly status: 'ok' | 'failed' | 'skipped';
  /** Why it was skipped. */
  readonly reason: string | null;
  readonly examples: readonly ExampleRun[];
}

async function test(known: KnownStage, catalog: Catalog): Promise<Tested> {
  const { id, name } = known.record;
  const entry = await runnable(known);
  const reason = typeof entry === 'string' ? entry : whyNotRun(entry);
  if (typeof entry === 'string' || reason !== null)
    return { id, name, status: 'skipped', reason, examples: [] };
  const examples = await runExamples(entry, catalog);
  const failed = examples.some(({ problem }) => problem !== null);
  return { id, name, status: failed ? 'failed' : 'ok', reason: null, examples };
}

/** What can be run of a stage: the program's, or what its record carries and somebody trusted vouches for; else why nothing can. */
async function runnable({ record, entry, distrust }: KnownStage): Promise<CatalogStage | string> {
  if (entry !== null) return entry;
  if (record.archive === undefined) return 'its code is not here';
  if (distrust !== null) return 'its code is not run: nobody who is trusted here vouches for it';
  try {
    return await carriedStage(record);
  } catch (error) {
    return messageOf(error);
  }
}

function line({ id, name, status, reason, examples }: Tested): string {
  const head = `${status.padEnd(7)}  ${id.slice(0, 8)}  ${name}`;
  if (reason !== null) return `${head}: ${reason}`;
  const wrong = examples.flatMap(({ example, problem }) =>
    problem === null ? [] : [`\n         examples[${example}]: ${problem}`],
  );
  return `${head} (${counted(examples.length, 'example')})${wrong.join('')}`;
}

/** `noether stage test [STAGE]`. */
export function testCommand(io: Io): Command {
  const command = withStore(
    new Command('test')
      .description('run the examples of stages that reach nothing outside')
      .argument('[stage]', 'name, id or a beginning of the id; all without'),
  );
  return command.action((reference: string | undefined, options: StoreOption) =>
    runCommand(command, io, async (context) => {
      const known = await knownStages(storeFile(context, options));
      const chosen = reference === undefined ? known : [oneStage(known, reference)];
      const [only] = chosen;
      if (
        reference !== undefined &&
        only !== undefined &&
        only.entry === null &&
        only.record.archive === undefined
      )
        throw noCode(only.record);
      const catalog = programCatalog();
      const results: Tested[] = [];
      for (const stage of chosen) {
        if (reference === undefined && stage.record.lifecycle !== 'Active') continue;
        results.push(await test(stage, catalog));
      }
      const count = (status: Tested['status']): number =>
        results.filter((one) => one.status === status).length;
      const counts = { ok: count('ok'), failed: count('failed'), skipped: count('skipped') };
      return {
        data: { results, counts },
        text: [
          ...results.map(line),
          `${counts.ok} ok, ${counts.failed} failed, ${counts.skipped} skipped`,
        ].join('\n'),
        exit_code: counts.failed === 0 ? 0 : 1,
      };
    }),
  );
}
