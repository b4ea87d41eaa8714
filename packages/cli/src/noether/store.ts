import { existsSync } from 'node:fs';

import type { StageRecord } from '@caloron/noether';
import { lifecycleWord } from '@caloron/noether/records';
import { readStageStore } from '@caloron/store';
import { Command } from 'commander';

import { runCommand } from '../context.ts';
import { CliError } from '../errors.ts';
import { counted, type Io } from '../output.ts';
import { auditStore, type AuditedRecord } from '../store-audit.ts';
import { programCatalog } from '../stages.ts';
import { effectWords, storeFile, type StoreOption, withStore } from './stage-options.ts';

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
function statsCommand(io: Io): Command {
  const command = withStore(
    new Command('stats').description(
      'how many stages the store holds, by lifecycle, effect, capability and signer',
    ),
  );
  return command.action((options: StoreOption) =>
    runCommand(command, io, async (context) => {
      const path = storeFile(context, options);
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
        lifecycles: tally(records.map(({ lifecycle }) => lifecycleWord(lifecycle))),
        effects: tally(records.flatMap(({ signature }) => effectWords(signature.effects.effects))),
        capabilities: tally(records.flatMap(({ capabilities }) => capabilities)),
        signers: tally(records.map(({ signer_public_key }) => signer_public_key?.slice(0, 16) ?? 'nobody')),
      };
      const text = [
        `${counted(records.length, 'stage')} in ${path}`,
        showTally('lifecycle', data.lifecycles),
        showTally('effects', data.effects),
        showTally('capabilities', data.capabilities),
        showTally('signed by', data.signers),
      ].join('\n');
      return { data, text };
    }),
  );
}

/** One thing an audit found. */
interface Finding {
  /** `error`: graphs may not run, or run something else than meant. `note`: worth knowing. */
  readonly level: 'error' | 'note';
  readonly stage: string | null;
  readonly message: string;
}

function findingsOf(
  { record, faults, distrust, differs, claims }: AuditedRecord,
  byId: ReadonlyMap<string, StageRecord>,
  here: ReadonlySet<string>,
): readonly Finding[] {
  const { name, id, lifecycle } = record;
  const stage = `${name} ${id.slice(0, 8)}`;
  const error = (message: string): Finding => ({ level: 'error', stage, message });
  const note = (message: string): Finding => ({ level: 'note', stage, message });
  const successor = typeof lifecycle === 'object' ? byId.get(lifecycle.Deprecated.successor_id) : undefined;
  return [
    ...faults.map(({ field }) => error(`${field} was changed`)),
    ...(distrust === null ? [] : [error(`not trusted: ${distrust.reason}`)]),
    ...differs.map(({ field }) => error(`${field} is not the program's`)),
    ...claims.map(error),
    ...(typeof lifecycle === 'object' && successor === undefined
      ? [error('its successor is not in the store')]
      : []),
    ...(successor?.lifecycle === 'Tombstone' ? [error('its successor is a Tombstone')] : []),
    ...(lifecycle === 'Active' && !here.has(id) ? [note('its code is not here: no graph can run it')] : []),
  ];
}

/** Active stages that share what only one may have. */
function clashes(records: readonly StageRecord[]): readonly Finding[] {
  const active = records.filter(({ lifecycle }) => lifecycle === 'Active');
  const several = (words: readonly string[]): readonly string[] =>
    Object.entries(tally(words)).flatMap(([word, count]) => (count > 1 ? [word] : []));
  return [
    ...several(active.map(({ signature_id }) => signature_id)).map((id): Finding => ({
      level: 'error',
      stage: null,
      message: `several Active stages have the signature ${id.slice(0, 16)}`,
    })),
    ...several(active.map(({ name }) => name)).map((name): Finding => ({
      level: 'note',
      stage: null,
      message: `several Active stages are called ${name}: graphs have to name them by id`,
    })),
  ];
}

/** Program's stages that the store does not hold, as one finding: runs find them all the same, a scheduler does not start without. */
function absences(missing: readonly StageRecord[]): readonly Finding[] {
  if (missing.length === 0) return [];
  const named = missing.slice(0, 3).map(({ name }) => name);
  const more = missing.length > named.length ? ', …' : '';
  const which = `${counted(missing.length, 'stage')} of the program (${named.join(', ')}${more})`;
  const message = `not in the store: ${which}; no scheduler starts on it; ./noether stage sync writes what is missing`;
  return [{ level: 'error', stage: null, message }];
}

/** `noether store health`: everything that is wrong with the stage store; changes nothing. */
function healthCommand(io: Io): Command {
  const head = ['', 'stage', 'finding'] as const;
  const command = withStore(
    new Command('health').description('what is wrong with the store; changes nothing'),
  );
  return command.action((options: StoreOption) =>
    runCommand(command, io, async (context) => {
      const path = storeFile(context, options);
      const catalog = programCatalog();
      const audited = await auditStore(path, catalog);
      const records = audited.map(({ record }) => record);
      const byId = new Map(records.map((record) => [record.id, record]));
      const here = new Set(catalog.entries.map(({ record }) => record.id));
      const findings: readonly Finding[] = [
        ...audited.flatMap((found) => findingsOf(found, byId, here)),
        ...clashes(records),
        ...absences(catalog.entries.filter(({ record }) => !byId.has(record.id)).map(({ record }) => record)),
      ];
      const errors = findings.filter(({ level }) => level === 'error').length;
      const rows = findings.map(({ level, stage, message }) => [level, stage ?? '-', message]);
      return {
        data: { path, stages: records.length, healthy: errors === 0, findings },
        text: [
          ...rows.map(
            ([level = '', stage = '', message = '']) => `${level.padEnd(6)} ${stage.padEnd(36)} ${message}`,
          ),
          errors === 0
            ? `${counted(records.length, 'stage')} in ${path}: healthy`
            : `${counted(errors, 'error')} in ${path}`,
        ].join('\n'),
        table: { head, rows },
        exit_code: errors === 0 ? 0 : 1,
      };
    }),
  );
}

/** `noether store stats|health`. */
export function storeCommand(io: Io): Command {
  return new Command('store')
    .description('look at the stage store')
    .addCommand(statsCommand(io))
    .addCommand(healthCommand(io));
}
