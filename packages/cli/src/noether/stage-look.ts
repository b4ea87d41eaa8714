import type { StageRecord } from '@caloron/noether';
import { NType, show } from '@caloron/noether';
import { lifecycleWord, searchRecords } from '@caloron/noether/records';
import { Command, Option } from 'commander';

import { runCommand } from '../context.ts';
import { CliError } from '../errors.ts';
import type { Answer, Io } from '../output.ts';
import { type KnownStage, knownStages, oneStage } from '../stages.ts';
import { effectWords, storeFile, type StoreOption, withStore } from './stage-options.ts';

const LIFECYCLES = ['draft', 'active', 'deprecated', 'tombstone', 'all'] as const;

interface Filter extends StoreOption {
  readonly lifecycle: (typeof LIFECYCLES)[number];
  readonly tag?: string;
  readonly name?: string;
}

function withFilter(command: Command): Command {
  return withStore(command)
    .addOption(new Option('--lifecycle <word>', 'of this lifecycle').choices(LIFECYCLES).default('active'))
    .option('--tag <tag>', 'with this tag')
    .option('--name <text>', 'with this in the name');
}

function passes({ record }: KnownStage, { lifecycle, tag, name }: Filter): boolean {
  return (
    (lifecycle === 'all' || lifecycleWord(record.lifecycle).toLowerCase() === lifecycle) &&
    (tag === undefined || (record.tags ?? []).includes(tag)) &&
    (name === undefined || record.name.includes(name))
  );
}

/** What is to be said of a stage beside its facts. */
function notes({ record, entry, distrust }: KnownStage): string {
  const words = [
    ...(record.lifecycle === 'Active' ? [] : [lifecycleWord(record.lifecycle)]),
    ...(entry === null ? ['no code here'] : []),
    ...(distrust === null ? [] : ['not trusted']),
  ];
  return words.join(', ');
}

/** A record as JSON, without the source text. */
function facts({ record, entry, distrust, stored }: KnownStage): object {
  const { archive: _archive, implementation_code: _code, record_fields: _fields, ...rest } = record;
  return { ...rest, runs_here: entry !== null, stored, distrust };
}

const HEAD = ['id', 'name', 'effects', 'capabilities', 'notes', 'description'] as const;

function listAnswer(stages: readonly KnownStage[], nothing: string): Answer {
  const rows = stages.map((stage) => [
    stage.record.id.slice(0, 8),
    stage.record.name,
    effectWords(stage.record.signature.effects.effects).join(', '),
    stage.record.capabilities.join(', '),
    notes(stage),
    stage.record.description,
  ]);
  const lines = rows.map(([id = '', name = '', effects = '', , said = '', description = '']) =>
    `${id}  ${name.padEnd(28)} ${effects.padEnd(26)} ${said === '' ? '' : `(${said}) `}${description}`.trimEnd(),
  );
  return {
    data: stages.map(facts),
    text: lines.length === 0 ? nothing : lines.join('\n'),
    table: { head: HEAD, rows },
  };
}

/** `noether stage list`. */
export function listCommand(io: Io): Command {
  const command = withFilter(new Command('list').description('the stages of the program and of the store'));
  return command.action((options: Filter) =>
    runCommand(command, io, async (context) => {
      const known = await knownStages(storeFile(context, options));
      return listAnswer(
        known.filter((stage) => passes(stage, options)),
        'no stage like that; --lifecycle all shows every one',
      );
    }),
  );
}

/** `noether stage search WORDS`. */
export function searchCommand(io: Io): Command {
  const command = withFilter(
    new Command('search')
      .description('stages about something, best first')
      .argument('<words...>', 'words of name, description, tags, types or examples'),
  ).option('--limit <n>', 'how many', '20');
  return command.action((words: readonly string[], options: Filter & { readonly limit: string }) =>
    runCommand(command, io, async (context) => {
      const limit = Number(options.limit);
      if (!Number.isInteger(limit) || limit < 1)
        throw new CliError('CLI_USAGE', {
          problem: `--limit: expected a whole number from 1, got ${options.limit}`,
        });
      const known = (await knownStages(storeFile(context, options))).filter((stage) =>
        passes(stage, options),
      );
      const byRecord = new Map<StageRecord, KnownStage>(known.map((stage) => [stage.record, stage]));
      const found = searchRecords([...byRecord.keys()], words.join(' ')).slice(0, limit);
      const stages = found.flatMap(({ record }) => byRecord.get(record) ?? []);
      const answer = listAnswer(stages, 'nothing found; ./noether stage list shows every stage');
      return {
        ...answer,
        data: found.flatMap(({ record, score }) => {
          const stage = byRecord.get(record);
          return stage === undefined ? [] : [{ ...facts(stage), score }];
        }),
      };
    }),
  );
}

/** `noether stage get STAGE`. */
export function getCommand(io: Io): Command {
  const command = withStore(
    new Command('get')
      .argument('<stage>', 'name, id, signature id or a beginning of the id')
      .description('one stage, whole'),
  );
  return command.action((reference: string, options: StoreOption) =>
    runCommand(command, io, async (context) => {
      const stage = oneStage(await knownStages(storeFile(context, options)), reference);
      const { input, output } = stage.record.signature;
      const types = { input: show(NType.parse(input)), output: show(NType.parse(output)) };
      const files = Object.keys(stage.record.archive ?? {});
      const whole = { ...facts(stage), types, files };
      return { data: whole, text: JSON.stringify(whole, null, 2) };
    }),
  );
}
