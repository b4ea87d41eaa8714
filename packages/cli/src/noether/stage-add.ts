import { dirname, resolve } from 'node:path';

import { type Lifecycle, StageError, type StageRecord } from '@caloron/noether';
import { codeOf } from '@caloron/noether/errors';
import {
  distrustOf,
  lifecycleWord,
  nearDuplicates,
  parseStageSpec,
  readStageSpec,
  recordFaults,
  type StageSpec,
} from '@caloron/noether/records';
import { unreadable } from '@caloron/scheduler/errors';
import { readTextFile } from '@caloron/scheduler/text-file';
import { openStageStore, type StageStore } from '@caloron/store';
import { trustedKeys } from '@caloron/store/stage-store-keys';
import { shellWord } from '@caloron/types';
import { Command } from 'commander';

import { runCommand } from '../context.ts';
import { CliError } from '../errors.ts';
import { runExamples, whyNotRun } from '../example-runs.ts';
import type { Io } from '../output.ts';
import { carriedStage, programCatalog } from '../stages.ts';
import { storeFile, type StoreOption, withStore } from './stage-options.ts';

/** What adding one stage did. */
export interface Added {
  readonly id: string;
  readonly name: string;
  readonly signature_id: string;
  readonly lifecycle: string;
  /** Ids of the stages it has taken the place of. */
  readonly supersedes: readonly string[];
  readonly warnings: readonly string[];
  readonly note?: 'already exists';
}

/** Capabilities a spec file may name: the original's six and those of the program's stages. */
export function capabilities(): readonly string[] {
  const own = programCatalog().entries.flatMap(({ stage }) => stage.capabilities);
  return [...new Set(['Network', 'FsRead', 'FsWrite', 'Gpu', 'Llm', 'Process', ...own])];
}

/** Refuses what is not what it says, or comes from nobody trusted here. Throws STAGE_TAMPERED, STAGE_SIGNATURE_INVALID, STAGE_UNTRUSTED. */
export async function requireGenuine(
  { record, form }: StageSpec,
  where: string,
  file: string,
): Promise<void> {
  if (form === 'simple') return;
  const { id, name: stage } = record;
  const faults = recordFaults(record);
  if (faults.length > 0 && faults.every(({ field }) => field === 'ed25519_signature'))
    throw new StageError(
      'STAGE_SIGNATURE_INVALID',
      { stage, id },
      { hint: 'ask its author for the stage as it was signed' },
    );
  if (faults.length > 0)
    throw new StageError('STAGE_TAMPERED', {
      store: where,
      faults: faults.map((fault) => ({ stage, id, ...fault })),
    });
  const why = distrustOf(record, await trustedKeys(dirname(file)));
  if (why?.reason === 'author')
    throw new StageError(
      'STAGE_UNTRUSTED',
      { stage, id, ...why },
      { hint: `./noether stage trust ${why.public_key ?? ''} --name WHO, if you know whose key that is` },
    );
}

/** Adds one stage; what is there already is left alone. */
export async function addSpec(
  store: StageStore,
  { record, warnings }: StageSpec,
  draft: boolean,
): Promise<Added> {
  const { id, name, signature_id } = record;
  const added: StageRecord = { ...record, lifecycle: draft ? 'Draft' : begun(record) };
  const told = ({ lifecycle }: StageRecord, supersedes: readonly string[]): Added => ({
    id,
    name,
    signature_id,
    lifecycle: lifecycleWord(lifecycle).toLowerCase(),
    supersedes,
    warnings: [...warnings, ...nameWarnings(record)],
  });
  try {
    const put = await store.put(added);
    return told(put.record, put.supersedes);
  } catch (error) {
    if (codeOf(error) !== 'STAGE_EXISTS') throw error;
    const { records } = await store.read();
    const before = records.find((other) => other.id === id) ?? added;
    return { ...told(before, []), note: 'already exists' };
  }
}

/** The program's stage of the same name is the one that graphs find by it. */
function nameWarnings({ id, name }: StageRecord): readonly string[] {
  const own = programCatalog().entries.find(({ record }) => record.name === name);
  return own === undefined || own.record.id === id
    ? []
    : [`graphs that say ${name} mean the program's stage; they find this one by its id`];
}

/** Warnings of stages that say almost the same with other types. Throws STAGE_DUPLICATE for one with the same types. */
async function likenessWarnings(store: StageStore, { record }: StageSpec): Promise<readonly string[]> {
  const { records } = await store.read();
  if (records.some(({ id }) => id === record.id)) return [];
  const stored = new Set(records.map(({ id }) => id));
  const own = programCatalog().entries.flatMap((entry) =>
    stored.has(entry.record.id) ? [] : [entry.record],
  );
  const similar = nearDuplicates([...records, ...own], record);
  const twin = similar.find(({ same_types }) => same_types);
  if (twin !== undefined)
    throw new StageError(
      'STAGE_DUPLICATE',
      { stage: record.name, other: twin.record.name, id: twin.record.id, score: twin.score },
      { hint: `use ${twin.record.name}, or say in the description what this one does otherwise` },
    );
  return similar.map(
    (other) =>
      `it says almost the same as ${other.record.name} ${other.record.id.slice(0, 8)}, of other types`,
  );
}

/** A new stage is Active; one that another store has retired stays so. */
function begun({ lifecycle }: StageRecord): Lifecycle {
  return lifecycle === 'Draft' ? 'Active' : lifecycle;
}

/** The text of a spec file or stage store. Throws CLI_FILE_UNREADABLE. */
export function readText(path: string): string {
  try {
    return readTextFile(path);
  } catch (error) {
    const folder = error instanceof Error && 'code' in error && error.code === 'EISDIR';
    throw new CliError(
      'CLI_FILE_UNREADABLE',
      { path, reason: unreadable(error) },
      {
        cause: error,
        hint: folder
          ? `./noether stage sync ${shellWord(path)} adds the spec files of a folder`
          : 'docs/stages.md shows a spec file; its path counts from the working directory',
      },
    );
  }
}

/** The stage of a file; of one that is run, its examples too. Throws CLI_FILE_UNREADABLE, SOURCE_MISSING, or STAGE_SPEC_INVALID with every issue. */
async function readStage(path: string, where: string): Promise<StageSpec> {
  const options = { capabilities: capabilities() };
  const text = readText(path);
  if (!/\.m?ts$/u.test(path)) return parseStageSpec(text, where, options);
  const { stageOfFile } = await import('@caloron/scheduler/registry/stage-file');
  const spec = readStageSpec(await stageOfFile(path), where, options);
  const entry = await carriedStage(spec.record);
  const runs = whyNotRun(entry) === null ? await runExamples(entry, programCatalog()) : [];
  const issues = runs.flatMap(({ example, problem }) =>
    problem === null ? [] : [`examples[${example}]: ${problem}`],
  );
  if (issues.length > 0) throw new StageError('STAGE_SPEC_INVALID', { where, issues });
  return spec;
}

/** How stages of files are added. */
export interface AddOptions extends StoreOption {
  readonly draft?: boolean;
}

/** `noether stage add FILE`. */
export function addCommand(io: Io): Command {
  const command = withStore(
    new Command('add')
      .description('add a stage from a spec or TypeScript file: checked, signed, and active unless --draft')
      .argument('<file>', 'its spec file, or the .ts file that exports it: that one is run')
      .option('--draft', 'leave it a draft; ./noether stage activate makes it active'),
  );
  return command.action((path: string, options: AddOptions) =>
    runCommand(command, io, async (context) => {
      const file = storeFile(context, options);
      const spec = await readStage(resolve(context.cwd, path), path);
      await requireGenuine(spec, path, file);
      const store = openStageStore({ file });
      const alike = await likenessWarnings(store, spec);
      const added = await addSpec(
        store,
        { ...spec, warnings: [...spec.warnings, ...alike] },
        options.draft === true,
      );
      return { data: added, text: addedText(added) };
    }),
  );
}

function addedText({ id, name, lifecycle, supersedes, warnings, note }: Added): string {
  return [
    `${name} → ${id}`,
    note === undefined ? `  ${lifecycle}` : `  ${note} (${lifecycle})`,
    ...supersedes.map((old) => `  takes the place of ${old}`),
    ...warnings.map((warning) => `  warning: ${warning}`),
  ].join('\n');
}
