import type { Catalog } from '@caloron/noether';
import { noCode } from '@caloron/noether/records';
import { Command } from 'commander';

import { runCommand } from '../context.ts';
import { type ExampleRun, runExamples, whyNotRun } from '../example-runs.ts';
import { counted, type Io } from '../output.ts';
import { type KnownStage, knownStages, oneStage, programCatalog } from '../stages.ts';
import { storeFile, type StoreOption, withStore } from './stage-options.ts';

interface Tested {
  readonly id: string;
  readonly name: string;
  readonly status: 'ok' | 'failed' | 'skipped';
  /** Why it was skipped. */
  readonly reason: string | null;
  readonly examples: readonly ExampleRun[];
}

async function test({ record, entry }: KnownStage, catalog: Catalog): Promise<Tested> {
  const { id, name } = record;
  const reason = entry === null ? 'its code is not here' : whyNotRun(entry);
  if (entry === null || reason !== null) return { id, name, status: 'skipped', reason, examples: [] };
  const examples = await runExamples(entry, catalog);
  const failed = examples.some(({ problem }) => problem !== null);
  return { id, name, status: failed ? 'failed' : 'ok', reason: null, examples };
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
      if (reference !== undefined && only !== undefined && only.entry === null) throw noCode(only.record);
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
